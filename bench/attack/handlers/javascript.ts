// The cheapest handler: what good clients ask.
export default (): string => "hello from JavaScript\n";
