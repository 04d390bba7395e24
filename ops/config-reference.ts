// Renders the configuration's reference page from its schema.

interface Node {
  type?: string | readonly string[];
  unit?: "size" | "duration";
  enum?: readonly string[];
  minimum?: number;
  maximum?: number;
  least?: number;
  most?: number;
  default?: unknown;
  description?: string;
  properties?: Record<string, Node>;
  required?: readonly string[];
  items?: Node;
}

export function renderReference(root: Node): string {
  const sections = [HEAD, table("Top level", undefined, root)];
  for (const [key, node] of Object.entries(root.properties ?? {})) collect(key, node, sections);
  return `${sections.join("\n\n")}\n`;
}

const HEAD = `# Configuration

<!-- Written by ops/generate-config.ts from daemon/config/schema.ts. Do not edit. -->

The configuration is one YAML file, \`pinion.yaml\` in the current folder unless another is named. All paths in it start
at its own folder. \`pinion check\` reads it and says what is wrong, with line and column; nothing is opened before
all of it is right.

Sizes are \`4096\`, \`16KiB\`, \`1MiB\`, \`10MB\`; durations are \`500ms\`, \`10s\`, \`2m\`, \`1h\`. An editor that knows YAML
schemas completes and explains keys with this first line:

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/pinion/daemon/pinion.schema.json
\`\`\``;

function collect(name: string, node: Node, sections: string[]): void {
  const holder = node.properties === undefined ? node.items : node;
  if (holder?.properties === undefined) return;
  const title = node.items === undefined ? name : `${name}[]`;
  sections.push(table(`\`${title}\``, node.description, holder));
  for (const [key, child] of Object.entries(holder.properties))
    collect(`${title}.${key}`, child, sections);
}

function table(title: string, description: string | undefined, node: Node): string {
  const rows = Object.entries(node.properties ?? {}).map(([key, child]) => {
    const fallback = node.required?.includes(key) === true ? "required" : showDefault(child);
    return `| \`${key}\` | ${escape(describeType(child))} | ${fallback} | ${escape(child.description ?? "")} |`;
  });
  const intro = description === undefined ? "" : `${description}\n\n`;
  return `## ${title}\n\n${intro}| key | value | default | meaning |\n| --- | --- | --- | --- |\n${rows.join("\n")}`;
}

function describeType(node: Node): string {
  if (node.enum !== undefined) return node.enum.map((value) => `\`${value}\``).join(", ");
  if (node.unit !== undefined) return node.unit;
  const names: Record<string, string> = {
    string: "text",
    boolean: "true or false",
    object: "map",
    array: "list",
  };
  const types = [node.type ?? "anything"].flat().map((type) => {
    if (type !== "integer") return names[type] ?? type;
    return `${node.minimum ?? 0} to ${node.maximum ?? "any number"}`;
  });
  return types.join(", or ");
}

function showDefault(node: Node): string {
  // A map's own default is that of its keys.
  if (node.default === undefined) return "";
  if (node.properties !== undefined && typeof node.default === "object") return "";
  return `\`${JSON.stringify(node.default)}\``;
}

function escape(text: string): string {
  return text.replaceAll("|", "\\|");
}
