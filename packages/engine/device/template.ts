// Register tiles need straight-line code, and WGSL has no macros: this writes the lines out.
//
//   acc$j$i += a$i * b$j;     with repeat {j: 2, i: 4}  ->  eight lines, $j and $i replaced
//   #if NAME … #else … #end   keeps one branch; flags do not nest
//   constants {ROWS: 16}      ->  "const ROWS = 16u;" before the first line that is no directive
//   half                      what a source calls Stored is f16, else f32: the type in which activations and weights lie in memory

export interface Template {
  readonly constants?: Readonly<Record<string, number>>;
  readonly repeat?: Readonly<Record<string, number>>; // one-letter variable -> count
  readonly flags?: Readonly<Record<string, boolean>>;
  readonly half?: boolean;
}

export function expand(source: string, { constants = {}, repeat = {}, flags = {}, half = false }: Template): string {
  let lines = chooseBranches(source.split("\n"), flags);
  for (const [variable, count] of Object.entries(repeat)) {
    const mark = `$${variable}`;
    lines = lines.flatMap((line) =>
      line.includes(mark) ? Array.from({ length: count }, (_, i) => line.replaceAll(mark, String(i))) : [line],
    );
  }
  const code = lines.filter((line) => !/^\s*\/\//.test(line)); // comments are for readers of the file
  const first = code.findIndex((line) => line.trim() !== "" && !/^(enable|diagnostic|requires)\b/.test(line));
  const stored = code.some((line) => /\bStored\b/.test(line));
  code.splice(first, 0, ...Object.entries(constants).map(([name, value]) => `const ${name} = ${value}u;`));
  if (stored) code.splice(first, 0, `alias Stored = ${half ? "f16" : "f32"};`);
  return (stored && half ? ["enable f16;", ...code] : code).join("\n");
}

function chooseBranches(lines: readonly string[], flags: Readonly<Record<string, boolean>>): string[] {
  let keep = true;
  const kept: string[] = [];
  for (const line of lines) {
    const directive = /^\s*#(if|else|end)\s*(\w*)/.exec(line);
    if (!directive) {
      if (keep) kept.push(line);
      continue;
    }
    const [, word, name] = directive;
    if (word === "if" && !(name! in flags)) throw new Error(`template: unknown flag "${name}"`);
    keep = word === "if" ? flags[name!]! : word === "else" ? !keep : true;
  }
  return kept;
}
