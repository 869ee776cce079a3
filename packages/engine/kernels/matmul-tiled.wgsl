// C (M, N) = A · B in tiles that a workgroup of 16x16 keeps in workgroup memory, 16 of K at a time; the three transpositions differ in how a
// tile is loaded. Each invocation owns ROWS4 x COLS4 blocks of 4x4 of C, 64 apart. The first 64 · ROWS4 load A's tile, as many more B's: blocks of
// 4x4, turned in registers where K runs along the rows.
//   nt: A (M, K), B (N, K)   nn: A (M, K), B (K, N)   tn: A (K, M), B (K, N), and C is added to.  What lies beyond an edge counts as zero.
struct Shape { M: u32, N: u32, K: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<Stored>>;
#if ACCUMULATE
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
#else
@group(0) @binding(3) var<storage, read_write> c: array<vec4<Stored>>;
#end
const TALL = 16 * ROWS4; // blocks along an edge of A's tile
const WIDE = 16 * COLS4;
var<workgroup> tileA: array<array<vec4f, TALL>, 16>; // [k][M / 4]
var<workgroup> tileB: array<array<vec4f, WIDE>, 16>; // [k][N / 4]

@compute @workgroup_size(16, 16)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(local_invocation_index) index: u32, @builtin(workgroup_id) group: vec3u) {
  let K4 = shape.K / 4u;
  let N4 = shape.N / 4u;
  let firstRow4 = group.y * TALL;
  let firstCol4 = group.x * WIDE;
  var c$u$v_$i = vec4f();
  for (var k = 0u; k < shape.K; k += 16u) {
    if (index < 4u * TALL) {
#if A_BY_ROWS
      let along = index % 4u; // neighbours read neighbouring vec4
      let across = index / 4u;
      let row = 4u * (firstRow4 + across);
      let k4 = k / 4u + along;
      let v$i = select(vec4f(), vec4f(a[(row + $iu) * K4 + k4]), row + $iu < shape.M && k4 < K4);
      tileA[4u * along + $iu][across] = vec4f(v0[$i], v1[$i], v2[$i], v3[$i]);
#else
      let M4 = shape.M / 4u;
      let across = index % TALL;
      let row4 = firstRow4 + across;
      let step = 4u * (index / TALL);
      let v$i = select(vec4f(), vec4f(a[(k + step + $iu) * M4 + row4]), k + step + $iu < shape.K && row4 < M4);
      tileA[step + $iu][across] = v$i;
#end
    } else if (index < 4u * (TALL + WIDE)) {
      let block = index - 4u * TALL;
#if B_BY_ROWS
      let along = block % 4u;
      let across = block / 4u;
      let row = 4u * (firstCol4 + across);
      let k4 = k / 4u + along;
      let v$i = select(vec4f(), vec4f(b[(row + $iu) * K4 + k4]), row + $iu < shape.N && k4 < K4);
      tileB[4u * along + $iu][across] = vec4f(v0[$i], v1[$i], v2[$i], v3[$i]);
#else
      let across = block % WIDE;
      let col4 = firstCol4 + across;
      let step = 4u * (block / WIDE);
      let v$i = select(vec4f(), vec4f(b[(k + step + $iu) * N4 + col4]), k + step + $iu < shape.K && col4 < N4);
      tileB[step + $iu][across] = v$i;
#end
    }
    workgroupBarrier();
    for (var step = 0u; step < 16u; step++) {
      let rows$u = tileA[step][local.y + 16u * $uu];
      let cols$v = tileB[step][local.x + 16u * $vu];
      c$u$v_$i += rows$u[$i] * cols$v;
    }
    workgroupBarrier();
  }
  let row$u = 4u * (firstRow4 + local.y + 16u * $uu);
  let col$v = firstCol4 + local.x + 16u * $vu;
#if ACCUMULATE
  if (row$u + $iu < shape.M && col$v < N4) { c[(row$u + $iu) * N4 + col$v] += c$u$v_$i; }
#else
  if (row$u + $iu < shape.M && col$v < N4) { c[(row$u + $iu) * N4 + col$v] = vec4<Stored>(c$u$v_$i); }
#end
}
