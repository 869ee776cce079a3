// A small assembler: functions written as TypeScript expressions -> the bytes of a WebAssembly module. No build step, no binary in the repository.
//
//   module.define("axpy", ["i32", "i32", "f32"], (f, x, y, a) => …) -> module.bytes() -> WebAssembly.compile
//
// An expression is the bytes that leave its value on the stack, with its type beside it, so that TypeScript checks what the validator would. Names
// are the specification's. Tiles are unrolled by ordinary loops here: one source gives every tile size, with and without relaxed SIMD.

export type Type = "i32" | "f32" | "f64" | "v128";

/** An expression: the bytes that push one value of this type. */
export interface Code<T extends Type> {
  readonly type: T;
  readonly bytes: readonly number[];
}

/** A local variable or parameter; reading it is an expression. */
export interface Local<T extends Type> extends Code<T> {
  readonly index: number;
}

type I32 = Code<"i32"> | number;
type F32 = Code<"f32"> | number;
type V128 = Code<"v128">;

const TYPE_BYTES: Record<Type, number> = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const EMPTY_BLOCK = 0x40;

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const last = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(last ? low : low | 0x80);
    if (last) return bytes;
  }
}

const floatBytes = (value: number): number[] => [...new Uint8Array(Float32Array.of(value).buffer)];
const named = (name: string): number[] => [...unsigned(name.length), ...new TextEncoder().encode(name)];
const listed = (parts: readonly (readonly number[])[]): number[] => [...unsigned(parts.length), ...parts.flat()];
const sized = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes];

const code = <T extends Type>(type: T, ...parts: readonly (readonly number[])[]): Code<T> => ({
  type,
  bytes: parts.flat(),
});
const int = (x: I32): readonly number[] => (typeof x === "number" ? [0x41, ...signed(x)] : x.bytes);
const float = (x: F32): readonly number[] => (typeof x === "number" ? [0x43, ...floatBytes(x)] : x.bytes);
const vector = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
/** Alignment is a hint; 4 bytes are what every address here has. */
const place = (offset: number): number[] => [2, ...unsigned(offset)];

const i32Binary = (opcode: number) => (a: I32, b: I32) => code("i32", int(a), int(b), [opcode]);
const f32Binary = (opcode: number) => (a: F32, b: F32) => code("f32", float(a), float(b), [opcode]);
const v128Binary = (opcode: number) => (a: V128, b: V128) => code("v128", a.bytes, b.bytes, vector(opcode));
const v128Unary = (opcode: number) => (a: V128) => code("v128", a.bytes, vector(opcode));

export const i32 = {
  load: (at: I32, offset = 0) => code("i32", int(at), [0x28], place(offset)),
  add: i32Binary(0x6a),
  sub: i32Binary(0x6b),
  mul: i32Binary(0x6c),
  div: i32Binary(0x6e), //  unsigned
  rem: i32Binary(0x70), //  unsigned
  and: i32Binary(0x71),
  shl: i32Binary(0x74),
  shr: i32Binary(0x76), //  unsigned
  lt: i32Binary(0x49), //   unsigned: addresses go up to 4 GiB
  ge: i32Binary(0x4f), //   unsigned
  eq: i32Binary(0x46),
  /** a < b ? a : b, unsigned. Both are evaluated twice. */
  min: (a: I32, b: I32) => code("i32", int(a), int(b), int(a), int(b), [0x49, 0x1b]),
};

export const f32 = {
  const: (value: number) => code("f32", float(value)),
  load: (at: I32, offset = 0) => code("f32", int(at), [0x2a], place(offset)),
  add: f32Binary(0x92),
  sub: f32Binary(0x93),
  mul: f32Binary(0x94),
  div: f32Binary(0x95),
  max: f32Binary(0x97),
  sqrt: (a: F32) => code("f32", float(a), [0x91]),
  lt: (a: F32, b: F32) => code("i32", float(a), float(b), [0x5d]),
  fromInt: (a: I32) => code("f32", int(a), [0xb2]),
  /** Lane 0..3. */
  lane: (a: V128, lane: number) => code("f32", a.bytes, vector(0x1f), [lane]),
};

export const f64 = {
  load: (at: I32, offset = 0) => code("f64", int(at), [0x2b], [3, ...unsigned(offset)]),
  add: (a: Code<"f64">, b: Code<"f64">) => code("f64", a.bytes, b.bytes, [0xa0]),
  sqrt: (a: Code<"f64">) => code("f64", a.bytes, [0x9f]),
  promote: (a: F32) => code("f64", float(a), [0xbb]),
};
export const demote = (a: Code<"f64">) => code("f32", a.bytes, [0xb6]);

export const v128 = {
  load: (at: I32, offset = 0) => code("v128", int(at), vector(0), place(offset)),
  /** One float, in all four lanes. */
  loadSplat: (at: I32, offset = 0) => code("v128", int(at), vector(0x09), place(offset)),
  zero: code("v128", vector(12), new Array<number>(16).fill(0)),
  and: v128Binary(78),
  /** Lanes of a (0..3) and b (4..7). */
  shuffle: (a: V128, b: V128, lanes: readonly [number, number, number, number]) =>
    code(
      "v128",
      a.bytes,
      b.bytes,
      vector(13),
      lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)),
    ),
};

export const i32x4 = {
  splat: (a: I32) => code("v128", int(a), vector(0x11)),
  add: v128Binary(0xae),
  shl: (a: V128, bits: number) => code("v128", a.bytes, int(bits), vector(0xab)),
  truncate: v128Unary(0xf8), // saturating, signed
};

export const f32x4 = {
  splat: (a: F32) => code("v128", float(a), vector(0x13)),
  add: v128Binary(0xe4),
  sub: v128Binary(0xe5),
  mul: v128Binary(0xe6),
  div: v128Binary(0xe7),
  min: v128Binary(0xe8),
  max: v128Binary(0xe9),
  sqrt: v128Unary(0xe3),
  neg: v128Unary(0xe1),
  abs: v128Unary(0xe0),
  nearest: v128Unary(0x6a),
  /** All bits set where a > b. */
  greater: v128Binary(0x44),
  /** a·b + c in one rounding or in two, as the machine likes. Only in modules made with `relaxed`. */
  relaxedMadd: (a: V128, b: V128, c: V128) => code("v128", a.bytes, b.bytes, c.bytes, vector(0x105)),
};

/** What a function may call: its place among the module's functions. */
export interface Callable<P extends readonly Type[]> {
  readonly index: number;
  readonly params: P;
}

type Arguments<P extends readonly Type[]> = {
  [K in keyof P]: P[K] extends "i32" ? I32 : P[K] extends "f32" ? F32 : P[K] extends Type ? Code<P[K]> : never;
};
type Locals<P extends readonly Type[]> = { [K in keyof P]: P[K] extends Type ? Local<P[K]> : never };

/** The body of one function, statement by statement. */
export class Body {
  readonly #types: Type[] = [];
  readonly #params: number;
  readonly #bytes: number[] = [];

  constructor(params: readonly Type[]) {
    this.#types.push(...params);
    this.#params = params.length;
  }

  /** A variable that starts as zero, or as `value` each time this line runs. */
  local<T extends Type>(type: T, value?: Code<T>): Local<T> {
    const index = this.#types.push(type) - 1;
    const local = this.#read(type, index);
    if (value) this.set(local, value);
    return local;
  }

  int(value?: I32): Local<"i32"> {
    return this.local("i32", value === undefined ? undefined : code("i32", int(value)));
  }

  vector(value?: V128): Local<"v128"> {
    return this.local("v128", value);
  }

  set<T extends Type>(local: Local<T>, value: Code<T> | (T extends "i32" | "f32" ? number : never)): void {
    const bytes = typeof value !== "number" ? value.bytes : local.type === "f32" ? float(value) : int(value);
    this.#bytes.push(...bytes, 0x21, ...unsigned(local.index));
  }

  advance(local: Local<"i32">, by: I32): void {
    this.set(local, i32.add(local, by));
  }

  store(at: I32, value: Code<"i32" | "f32" | "f64" | "v128">, offset = 0): void {
    const opcode = { i32: [0x36], f32: [0x38], f64: [0x39], v128: vector(11) }[value.type];
    this.#bytes.push(...int(at), ...value.bytes, ...opcode, ...place(offset));
  }

  call<P extends readonly Type[]>(callee: Callable<P>, ...args: Arguments<P>): void {
    this.#bytes.push(...argumentBytes(callee, args), 0x10, ...unsigned(callee.index));
  }

  /** counter = from, from + step, … while below `to` (unsigned). `to` is evaluated at every turn: pass a local. */
  for(counter: Local<"i32">, from: I32, to: I32, step: I32, body: () => void): void {
    this.set(counter, code("i32", int(from)));
    this.if(i32.lt(counter, to), () => {
      this.#bytes.push(0x03, EMPTY_BLOCK);
      body();
      this.advance(counter, step);
      this.#bytes.push(...i32.lt(counter, to).bytes, 0x0d, 0, 0x0b);
    });
  }

  if(condition: Code<"i32">, then: () => void, otherwise?: () => void): void {
    this.#bytes.push(...condition.bytes, 0x04, EMPTY_BLOCK);
    then();
    if (otherwise) {
      this.#bytes.push(0x05);
      otherwise();
    }
    this.#bytes.push(0x0b);
  }

  fill(at: I32, bytes: I32): void {
    this.#bytes.push(...int(at), ...int(0), ...int(bytes), 0xfc, 11, 0);
  }

  copy(to: I32, from: I32, bytes: I32): void {
    this.#bytes.push(...int(to), ...int(from), ...int(bytes), 0xfc, 10, 0, 0);
  }

  encode(): number[] {
    const locals = this.#types.slice(this.#params).map((type) => [1, TYPE_BYTES[type]]);
    return sized([...listed(locals), ...this.#bytes, 0x0b]);
  }

  params<P extends readonly Type[]>(params: P): Locals<P> {
    return params.map((type, i) => this.#read(type, i)) as unknown as Locals<P>;
  }

  #read<T extends Type>(type: T, index: number): Local<T> {
    return { type, index, bytes: [0x20, ...unsigned(index)] };
  }
}

function argumentBytes(callee: Callable<readonly Type[]>, args: readonly (Code<Type> | number)[]): number[] {
  return args.flatMap((arg, i) => [
    ...(typeof arg !== "number" ? arg.bytes : callee.params[i] === "f32" ? float(arg) : int(arg)),
  ]);
}

export interface MemoryLimits {
  readonly pages: number;
  readonly shared: boolean;
}

/** A module over one imported memory ("env"."memory") and one imported function ("env"."log": f64 -> f64). Every function is exported by its name. */
export class Module {
  readonly #functions: { readonly name: string; readonly params: readonly Type[]; readonly body: number[] }[] = [];
  readonly #globals: string[] = [];

  /** A function without a result. */
  define<const P extends readonly Type[]>(
    name: string,
    params: P,
    write: (f: Body, ...params: Locals<P>) => void,
  ): Callable<P> {
    const body = new Body(params);
    write(body, ...body.params(params));
    const index = this.#functions.push({ name, params, body: body.encode() }); // function 0 is imported
    return { index, params };
  }

  /** A number that whoever instantiates the module sets before it calls anything. */
  global(name: string): Code<"i32"> {
    return code("i32", [0x23], unsigned(this.#globals.push(name) - 1));
  }

  /** ln, by the host. */
  readonly log = (x: Code<"f64">): Code<"f64"> => code("f64", x.bytes, [0x10, 0]);

  bytes({ pages, shared }: MemoryLimits): Uint8Array<ArrayBuffer> {
    const section = (id: number, parts: readonly (readonly number[])[]): number[] => [id, ...sized(listed(parts))];
    const signature = (params: readonly Type[], results: readonly Type[]): number[] => [
      ...[0x60, ...listed(params.map((type) => [TYPE_BYTES[type]]))],
      ...listed(results.map((type) => [TYPE_BYTES[type]])),
    ];
    const signatures = [signature(["f64"], ["f64"]), ...this.#functions.map(({ params }) => signature(params, []))];
    return Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, signatures),
      ...section(2, [
        [...named("env"), ...named("log"), 0, 0],
        [...named("env"), ...named("memory"), 2, shared ? 3 : 1, ...unsigned(pages), ...unsigned(pages)],
      ]),
      ...section(
        3,
        this.#functions.map((_, i) => unsigned(i + 1)),
      ),
      ...section(
        6,
        this.#globals.map(() => [TYPE_BYTES.i32, 1, 0x41, 0, 0x0b]),
      ),
      ...section(7, [
        ...this.#functions.map(({ name }, i) => [...named(name), 0, ...unsigned(i + 1)]),
        ...this.#globals.map((name, i) => [...named(name), 3, ...unsigned(i)]),
      ]),
      ...section(
        10,
        this.#functions.map(({ body }) => body),
      ),
    ]);
  }
}
