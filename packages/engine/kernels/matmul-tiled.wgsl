// C (M, N) = A · B in tiles of 64x64 that a workgroup of 16x16 keeps in workgroup memory, 16 of K at a time; the three transpositions differ in how a
// tile is loaded. Each invocation owns 4x4 of C. The first 64 load A's tile, the next 64 B's: blocks of 4x4, turned in registers where K runs along the rows.
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
var<workgroup> tileA: array<array<vec4f, 16>, 16>; // [k][M / 4]
var<workgroup> tileB: array<array<vec4f, 16>, 16>; // [k][N / 4]

@compute @workgroup_size(16, 16)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(local_invocation_index) index: u32, @builtin(workgroup_id) group: vec3u) {
  let K4 = shape.K / 4u;
  let N4 = shape.N / 4u;
  let firstRow = group.y * 64u;
  let firstCol4 = group.x * 16u;
  let block = index % 64u;
  let along = block % 4u; //   neighbours read neighbouring vec4
  let across = block / 4u;
  var c$i = vec4f();
  for (var k = 0u; k < shape.K; k += 16u) {
    if (index < 64u) {
#if A_BY_ROWS
      let row = firstRow + 4u * across;
      let k4 = k / 4u + along;
      let v$i = select(vec4f(), vec4f(a[(row + $iu) * K4 + k4]), row + $iu < shape.M && k4 < K4);
      tileA[4u * along + $iu][across] = vec4f(v0[$i], v1[$i], v2[$i], v3[$i]);
#else
      let M4 = shape.M / 4u;
      let row4 = firstRow / 4u + block % 16u;
      let kRow = k + 4u * (block / 16u);
      let v$i = select(vec4f(), vec4f(a[(kRow + $iu) * M4 + row4]), kRow + $iu < shape.K && row4 < M4);
      tileA[4u * (block / 16u) + $iu][block % 16u] = v$i;
#end
    } else if (index < 128u) {
#if B_BY_ROWS
      let row = 4u * (firstCol4 + across);
      let k4 = k / 4u + along;
      let v$i = select(vec4f(), vec4f(b[(row + $iu) * K4 + k4]), row + $iu < shape.N && k4 < K4);
      tileB[4u * along + $iu][across] = vec4f(v0[$i], v1[$i], v2[$i], v3[$i]);
#else
      let col4 = firstCol4 + block % 16u;
      let kRow = k + 4u * (block / 16u);
      let v$i = select(vec4f(), vec4f(b[(kRow + $iu) * N4 + col4]), kRow + $iu < shape.K && col4 < N4);
      tileB[4u * (block / 16u) + $iu][block % 16u] = v$i;
#end
    }
    workgroupBarrier();
    for (var step = 0u; step < 16u; step++) {
      let rows = tileA[step][local.y];
      let cols = tileB[step][local.x];
      c$i += rows[$i] * cols;
    }
    workgroupBarrier();
  }
  let row = firstRow + 4u * local.y;
  let col4 = firstCol4 + local.x;
#if ACCUMULATE
  if (row + $iu < shape.M && col4 < N4) { c[(row + $iu) * N4 + col4] += c$i; }
#else
  if (row + $iu < shape.M && col4 < N4) { c[(row + $iu) * N4 + col4] = vec4<Stored>(c$i); }
#end
}
