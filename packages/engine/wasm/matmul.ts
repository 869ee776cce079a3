// Matrix products in register tiles over packed columns.
//
//   nt   C (M, N) = A (M, K) B (N, K)ᵀ        nn   C (M, N) = A (M, K) B (K, N)        tn   C (M, N) += A (K, M)ᵀ B (K, N)
//
// B is packed, in the thread's own scratch, into panels of TILE_COLUMNS columns: (panel, K, TILE_COLUMNS). A tile of TILE_ROWS x TILE_COLUMNS sums stays in
// registers while it walks along K; A is read where it lies, one float at a time into all four lanes.
import { type Body, type Callable, type Code, f32, f32x4, i32, type Local, type Module, v128 } from "./assembler.ts";

/** Twelve sums, two columns' vectors and one broadcast: x86-64 has sixteen registers. */
export const TILE_ROWS = 6;
export const TILE_COLUMNS = 8;
const VECTORS = TILE_COLUMNS / 4;
const TILE_BYTES = TILE_COLUMNS * 4;
/** Columns of A per unrolled turn. */
const UNROLL = 4;

type Madd = (a: Code<"v128">, b: Code<"v128">, c: Code<"v128">) => Code<"v128">;
type Integers<N extends number, T extends readonly "i32"[] = []> = T["length"] extends N
  ? T
  : Integers<N, [...T, "i32"]>;
const integers = <N extends number>(n: N) => new Array(n).fill("i32") as unknown as Integers<N>;

/** Where A's element (m, k) lies: at m·lda + k·4 ("rows"), or at k·lda + m·4 ("columns", A is transposed). */
type Order = "rows" | "columns";

/** One tile: C (rows, TILE_COLUMNS) = or += A (rows, K) panel (K, TILE_COLUMNS). Parameters: a, lda, panel, c, ldc, K, add. */
function defineTile(module: Module, madd: Madd, order: Order, rows: number): Callable<Integers<7>> {
  return module.define(`tile-${order}-${rows}`, integers(7), (f, a, lda, panel, c, ldc, K, add) => {
    const streams = order === "rows" ? rows : 1;
    const a_ = Array.from({ length: streams }, (_, r) => (r === 0 ? a : f.int()));
    for (let r = 1; r < streams; r++) f.set(a_[r], i32.add(a_[r - 1], lda));
    const sums = Array.from({ length: rows }, () => Array.from({ length: VECTORS }, () => f.vector()));
    const columns = Array.from({ length: VECTORS }, () => f.vector());
    const one = f.vector();
    const k = f.int();
    const turn = (depth: number): void => {
      for (let d = 0; d < depth; d++) {
        for (let j = 0; j < VECTORS; j++) f.set(columns[j], v128.load(panel, d * TILE_BYTES + 16 * j));
        for (let r = 0; r < rows; r++) {
          f.set(one, order === "rows" ? v128.loadSplat(a_[r], 4 * d) : v128.loadSplat(a, 4 * r));
          for (let j = 0; j < VECTORS; j++) f.set(sums[r][j], madd(one, columns[j], sums[r][j]));
        }
        if (order === "columns") f.advance(a, lda);
      }
      if (order === "rows") for (const stream of a_) f.advance(stream, 4 * depth);
      f.advance(panel, depth * TILE_BYTES);
    };
    const whole = f.int(i32.and(K, -UNROLL));
    f.for(k, 0, whole, UNROLL, () => turn(UNROLL));
    f.for(k, whole, K, 1, () => turn(1));
    f.if(
      add,
      () => {
        for (let r = 0; r < rows; r++) {
          for (let j = 0; j < VECTORS; j++) f.store(c, f32x4.add(v128.load(c, 16 * j), sums[r][j]), 16 * j);
          f.advance(c, ldc);
        }
      },
      () => {
        for (let r = 0; r < rows; r++) {
          for (let j = 0; j < VECTORS; j++) f.store(c, sums[r][j], 16 * j);
          f.advance(c, ldc);
        }
      },
    );
  });
}

/** Bytes at the start of a thread's scratch, where a tile goes that sticks out of its matrix. */
export const EDGE_BYTES = 256;

/** C (M, N) = or += A B over packed panels `stride` bytes apart. Parameters: a, lda, packed, stride, c, ldc, M, N, K, add. */
function defineProduct(module: Module, madd: Madd, edge: Code<"i32">, order: Order): Callable<Integers<10>> {
  const tiles = Array.from({ length: TILE_ROWS }, (_, i) => defineTile(module, madd, order, i + 1));
  return module.define(`product-${order}`, integers(10), (f, a, lda, packed, stride, c, ldc, M, N, K, add) => {
    const [n, m, rows, columns, from, to] = [f.int(), f.int(), f.int(), f.int(), f.int(), f.int()];
    const tile = (c: Code<"i32">, ldc: Code<"i32"> | number, add: Code<"i32"> | number, count: number): void => {
      const call = () => f.call(tiles[count - 1], from, lda, packed, c, ldc, K, add);
      if (count === 1) call();
      else f.if(i32.lt(rows, count), () => tile(c, ldc, add, count - 1), call);
    };
    f.for(n, 0, N, TILE_COLUMNS, () => {
      f.set(from, a);
      f.set(to, i32.add(c, i32.shl(n, 2)));
      f.set(columns, i32.sub(N, n));
      f.for(m, 0, M, TILE_ROWS, () => {
        f.set(rows, i32.sub(M, m));
        f.if(
          i32.ge(columns, TILE_COLUMNS),
          () => tile(to, ldc, add, TILE_ROWS),
          () => {
            tile(edge, TILE_BYTES, 0, TILE_ROWS);
            copyEdge(f, edge, to, ldc, i32.min(rows, TILE_ROWS), columns, add);
          },
        );
        f.advance(from, order === "rows" ? i32.mul(lda, TILE_ROWS) : 4 * TILE_ROWS);
        f.advance(to, i32.mul(ldc, TILE_ROWS));
      });
      f.advance(packed, stride);
    });
  });
}

function copyEdge(
  f: Body,
  edge: Code<"i32">,
  c: Code<"i32">,
  ldc: Code<"i32">,
  rows: Code<"i32">,
  columns: Code<"i32">,
  add: Code<"i32">,
): void {
  const [r, j, from, to] = [f.int(), f.int(), f.int(), f.int()];
  f.for(r, 0, rows, 1, () => {
    f.for(j, 0, columns, 1, () => {
      f.set(from, i32.add(edge, i32.add(i32.mul(r, TILE_BYTES), i32.shl(j, 2))));
      f.set(to, i32.add(i32.add(c, i32.mul(r, ldc)), i32.shl(j, 2)));
      f.if(
        add,
        () => f.store(to, f32.add(f32.load(to), f32.load(from))),
        () => f.store(to, f32.load(from)),
      );
    });
  });
}

/** B (K, N), rows ldb bytes apart -> panels `stride` bytes apart. Reads up to a panel's width beyond a row's end. Parameters: b, ldb, packed, stride, N, K. */
function definePackRows(module: Module): Callable<Integers<6>> {
  return module.define("pack-rows", integers(6), (f, b, ldb, packed, stride, N, K) => {
    const [n, k, from, to] = [f.int(), f.int(), f.int(), f.int()];
    f.for(n, 0, N, TILE_COLUMNS, () => {
      f.set(from, i32.add(b, i32.shl(n, 2)));
      f.set(to, packed);
      f.for(k, 0, K, 1, () => {
        for (let j = 0; j < VECTORS; j++) f.store(to, v128.load(from, 16 * j), 16 * j);
        f.advance(from, ldb);
        f.advance(to, TILE_BYTES);
      });
      f.advance(packed, stride);
    });
  });
}

/** B (N, K) with K a multiple of 4 -> the same panels, turned. A panel's missing rows repeat the last. Parameters: b, ldb, packed, stride, N, K. */
function definePackColumns(module: Module): Callable<Integers<6>> {
  return module.define("pack-columns", integers(6), (f, b, ldb, packed, stride, N, K) => {
    const [n, k, to] = [f.int(), f.int(), f.int()];
    const rows = Array.from({ length: TILE_COLUMNS }, () => f.int());
    const last = f.int(i32.add(b, i32.mul(i32.sub(N, 1), ldb)));
    f.for(n, 0, N, TILE_COLUMNS, () => {
      rows.forEach((row, r) => {
        f.set(row, r === 0 ? i32.add(b, i32.mul(n, ldb)) : i32.min(i32.add(rows[r - 1], ldb), last));
      });
      f.set(to, packed);
      f.for(k, 0, K, 4, () => {
        for (let j = 0; j < VECTORS; j++) storeTurned(f, rows.slice(4 * j, 4 * j + 4), to, 16 * j);
        for (const row of rows) f.advance(row, 16);
        f.advance(to, 4 * TILE_BYTES);
      });
      f.advance(packed, stride);
    });
  });
}

/** Four rows of four floats, turned, into four lines of a panel. */
function storeTurned(f: Body, rows: readonly Code<"i32">[], to: Code<"i32">, offset: number): void {
  const [a, b, c, d] = rows.map((row) => f.vector(v128.load(row)));
  const low = f.vector(v128.shuffle(a, b, [0, 4, 1, 5]));
  const high = f.vector(v128.shuffle(a, b, [2, 6, 3, 7]));
  const low2 = f.vector(v128.shuffle(c, d, [0, 4, 1, 5]));
  const high2 = f.vector(v128.shuffle(c, d, [2, 6, 3, 7]));
  f.store(to, v128.shuffle(low, low2, [0, 1, 4, 5]), offset);
  f.store(to, v128.shuffle(low, low2, [2, 3, 6, 7]), offset + TILE_BYTES);
  f.store(to, v128.shuffle(high, high2, [0, 1, 4, 5]), offset + 2 * TILE_BYTES);
  f.store(to, v128.shuffle(high, high2, [2, 3, 6, 7]), offset + 3 * TILE_BYTES);
}

/** K at a time: a panel of 16 KiB stays in the first cache beside A's rows. */
export const DEPTH = 512;

export interface Products {
  readonly product: Record<Order, Callable<Integers<10>>>;
  readonly packRows: Callable<Integers<6>>;
  readonly packColumns: Callable<Integers<6>>;
}

/**
 * Exports matmul-nt, -nn and -tn: (task, taskRows, taskColumns, a, lda, b, ldb, c, ldc, M, N, K). A task is a block of C; tasks count
 * along its rows of blocks. nt and nn overwrite C, tn adds to it.
 */
export function defineMatmul(module: Module, madd: Madd, scratch: Code<"i32">): Products {
  const products: Products = {
    product: {
      rows: defineProduct(module, madd, scratch, "rows"),
      columns: defineProduct(module, madd, scratch, "columns"),
    },
    packRows: definePackRows(module),
    packColumns: definePackColumns(module),
  };
  for (const form of ["nt", "nn", "tn"] as const) {
    const [order, pack] = [form === "tn" ? "columns" : "rows", form === "nt" ? "packColumns" : "packRows"] as const;
    module.define(`matmul-${form}`, integers(12), (f, task, taskRows, taskColumns, a, lda, b, ldb, c, ldc, M, N, K) => {
      const [m, n, k, depth, add] = [f.int(), f.int(), f.int(), f.int(), f.int()];
      const across = f.int(i32.div(i32.add(N, i32.sub(taskColumns, 1)), taskColumns));
      f.set(m, i32.mul(i32.div(task, across), taskRows));
      f.set(n, i32.mul(i32.rem(task, across), taskColumns));
      const rows = f.int(i32.min(i32.sub(M, m), taskRows));
      const columns = f.int(i32.min(i32.sub(N, n), taskColumns));
      const packed = f.int(i32.add(scratch, EDGE_BYTES));
      f.set(add, form === "tn" ? 1 : 0);
      const at = (base: Local<"i32">, row: Local<"i32">, stride: Local<"i32">, column: Local<"i32">) =>
        i32.add(i32.add(base, i32.mul(row, stride)), i32.shl(column, 2));
      f.for(k, 0, K, DEPTH, () => {
        f.set(depth, i32.min(i32.sub(K, k), DEPTH));
        const [from, to] = [f.int(), f.int()];
        f.set(from, form === "nt" ? at(b, n, ldb, k) : at(b, k, ldb, n));
        f.set(to, at(c, m, ldc, n));
        f.call(products[pack], from, ldb, packed, i32.mul(depth, TILE_BYTES), columns, depth);
        f.set(from, order === "rows" ? at(a, m, lda, k) : at(a, k, lda, m));
        f.call(
          products.product[order],
          from,
          lda,
          packed,
          i32.mul(depth, TILE_BYTES),
          to,
          ldc,
          rows,
          columns,
          depth,
          add,
        );
        f.set(add, 1);
      });
    });
  }
  return products;
}
