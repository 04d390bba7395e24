// An answer that no socket buffer swallows whole.
const BODY = new Uint8Array(4 * 1024 * 1024).fill(120);

export default (): Uint8Array => BODY;
