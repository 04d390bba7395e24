// A factory gets its options from the configuration, once in each worker; what it returns answers the requests.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Factory, HttpError } from "pinion";

interface Result {
  roll: number;
  name: string;
  points: number;
}

export const factory: Factory<{ file: string }, "/results/{roll:int}"> = async (
  { file },
  { directory },
) => {
  const results = parse(await readFile(resolve(directory, file), "utf8"));
  return ({ params }) => {
    const result = results.get(params.roll);
    if (result === undefined) throw new HttpError(404, `nobody has the roll number ${params.roll}`);
    return result;
  };
};

function parse(csv: string): Map<number, Result> {
  const [, ...lines] = csv.trim().split("\n");
  return new Map(
    lines.map((line) => {
      const [roll = "", name = "", points = ""] = line.split(",");
      return [Number(roll), { roll: Number(roll), name, points: Number(points) }];
    }),
  );
}
