// Which category of native/test/http/DIFFERENCES.md a difference between our parser and Node's belongs to.

import net from "node:net";

export interface Verdict {
  requests: {
    method: string;
    target: string;
    minorVersion: number;
    fields: string[];
    body: string;
    /** Ours only: another request may follow. */
    keepAlive?: boolean;
  }[];
  /** "end": all input used; "partial": more is needed; else what refused it. */
  end: string;
}

function refused(verdict: Verdict): boolean {
  return verdict.end !== "end" && verdict.end !== "partial";
}

function sameRequests(our: Verdict, their: Verdict): boolean {
  return (
    our.requests.length === their.requests.length &&
    our.requests.every((request, index) => {
      const other = their.requests[index];
      return (
        other !== undefined &&
        request.method === other.method &&
        request.target === other.target &&
        Math.min(1, other.minorVersion) === request.minorVersion &&
        request.body === other.body &&
        JSON.stringify(request.fields) === JSON.stringify(other.fields)
      );
    })
  );
}

/** An authority as RFC 3986 has it, by other means than our parser. */
function authorityValid(text: string): boolean {
  const literal = /^\[([^\]]*)\](?::(\d*))?$/.exec(text);
  if (literal)
    return (
      ((net.isIPv6(literal[1] ?? "") && !literal[1]?.includes("%")) ||
        /^v[0-9a-f]+\.[\w.~!$&'()*+,;=:-]+$/i.test(literal[1] ?? "")) &&
      Number(literal[2] ?? 0) < 65536
    );
  const name = /^(?:[\w.~!$&'()*+,;=-]|%[0-9a-f]{2})+(?::(\d*))?$/i.exec(text);
  return name !== null && Number(name[1] ?? 0) < 65536;
}

function values(head: string, name: string): string[] {
  const field = new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, "i");
  return head.split(/\r?\n/).flatMap((line) => field.exec(line)?.slice(1) ?? []);
}

/** What we refuse and Node takes, or waits for the rest of. */
function stricter(head: string, body: string, end: string): string | undefined {
  const [, method = "", target = "", major = "", minor = ""] =
    /^(\S+) (\S+) HTTP\/(\d)\.(\d)\r\n/.exec(head) ?? [];
  const codings = values(head, "transfer-encoding");
  if (end === "417") return "expectation";
  if (end === "505") return major !== "1" ? "version" : undefined;
  if (end === "414") return "target-limit";
  if (end === "431") return "fields-limit";
  if (end === "501" && codings.length === 0) return "refused-earlier";
  if (end === "501")
    return codings.some((value) => !/^chunked$/i.test(value)) ? "unknown-coding" : undefined;
  if (end !== "400") return undefined;
  if (major === "" && /(?:^|\r\n)[A-Z]+ \S+\r\n/.test(head + body)) return "no-version";
  if (/^(?:\r\n){2}/.test(head)) return "empty-lines";
  const absolute = /^https?:\/\/([^/?#]*)/i.exec(target);
  if (target.includes("#")) return "fragment";
  if (absolute && !authorityValid(absolute[1] ?? "")) return "authority-syntax";
  if (!absolute && !target.startsWith("/") && !(target === "*" && method === "OPTIONS"))
    return "target-form";
  const hosts = values(head, "host");
  if (hosts.length > 1) return "two-hosts";
  if (hosts.some((host) => host !== "" && !authorityValid(host))) return "host-syntax";
  if (codings.length > 0 && minor === "0") return "coding-from-http-1-0";
  if (codings.some((value) => value.split(",").some((coding) => coding.trim() === "")))
    return "coding-list-syntax";
  const coding = /^[\w!#$%&'*+.^`|~-]+$/;
  if (codings.some((value) => value.split(",").some((element) => !coding.test(element.trim()))))
    return "coding-syntax";
  if (
    values(head, "content-length").some(
      (value) => /^\d+$/.test(value) && BigInt(value) >= 1n << 63n,
    )
  )
    return "length-over-2-63";
  if (values(head, "content-length").includes("")) return "refused-earlier";
  const trailers = body.slice(body.search(/(?:^|\r\n)0+[^\r\n]*\r\n/));
  if (codings.length > 0 && /\n(?:content-length|transfer-encoding):/i.test(trailers))
    return "framing-trailer";
  const size = /(?:^|\r\n)([0-9a-f]+)[^\r\n]*\r\n/gi;
  if ([...body.matchAll(size)].some(([, digits]) => BigInt(`0x${digits}`) >= 1n << 53n))
    return "chunk-size-over-2-53";
  return undefined;
}

/** What we take and Node refuses. */
function laxer(head: string, body: string, their: string): string | undefined {
  if (their === "HPE_INVALID_VERSION" && / HTTP\/1\.[2-9]\r\n/.test(head)) return "minor-version";
  if (their === "HPE_CLOSED_CONNECTION") return "bytes-behind-the-last-request";
  if (
    /^HPE_INVALID_TRANSFER_ENCODING$/.test(their) &&
    values(head, "transfer-encoding").some((value) => /^chunked$/i.test(value))
  ) {
    return "tab-behind-chunked";
  }
  if (their === "HPE_INVALID_CHUNK_SIZE" && /[ \t];/.test(body)) return "blank-before-extension";
  if (their === "HPE_STRICT" && /[0-9a-f][ \t]*;/i.test(body)) return "extension-bytes";
  return undefined;
}

/**
 * "same", a category's name, or undefined: a difference that nobody has justified.
 * `later` is our verdict on the same input with two line ends behind it.
 */
export function categoryOf(
  input: string,
  our: Verdict,
  their: Verdict,
  later: Verdict,
): string | undefined {
  if (refused(our) && refused(their)) return "same";
  if (our.end === their.end && sameRequests(our, their)) return "same";
  const end = input.indexOf("\r\n\r\n", /^(?:\r\n)*/.exec(input)?.[0].length ?? 0);
  const head = end < 0 ? input : input.slice(0, end + 2);
  const body = end < 0 ? "" : input.slice(end + 4);
  const allTaken = their.end === "end" && sameRequests(our, their);
  if (our.end === "400" && allTaken && /^[\r\n]*\n$/.test(input.slice(-1))) return "empty-lines";
  if (our.end === "partial" && allTaken && /\r\n?$/.test(input)) return "empty-line-behind";
  if (allTaken && values(head, "upgrade").length > 0) return "bytes-behind-upgrade";
  if (
    refused(our) &&
    our.requests.length > 0 &&
    sameRequests({ ...our, requests: our.requests.slice(0, 1) }, their)
  ) {
    // The first request is done with: look at the one behind it.
    const behind = their.end === "partial" ? stricter(body, "", our.end) : undefined;
    if (behind !== undefined) return behind;
  }
  if (refused(our)) return stricter(head, body, our.end);
  if (refused(their)) {
    const reason = laxer(head, body, their.end);
    if (reason !== undefined) return reason;
    if (our.end === "partial" && refused(later)) return "noticed-later";
    if (our.requests.at(-1)?.keepAlive === false && sameRequests(our, their))
      return "bytes-behind-the-last-request";
  }
  return undefined;
}
