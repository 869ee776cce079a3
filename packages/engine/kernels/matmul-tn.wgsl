// C (M, N) += Aᵀ · B, A (K, M), B (K, N): the gradient of a linear layer's weight, summed over K tokens. M and N are multiples of 4, K is any: what lies
// beyond the last token counts as zero.
// One invocation owns ROWS x COLS of C, in registers. Loads beyond an edge read something else in bounds and are not stored.
#if QUADS
enable subgroups;
#end
struct Shape { M: u32, N: u32, K: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;

@compute @workgroup_size(GROUP_X, GROUP_Y)
#if QUADS
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let mine = lane & 3u;
#else
fn main(@builtin(global_invocation_id) id: vec3u) {
#end
  let M4 = shape.M / 4u;
  let N4 = shape.N / 4u;
  let row4 = id.y * (ROWS / 4u);
  let col4 = id.x * COLS4;
  var c$j$i_$v = vec4f();
  for (var k = 0u; k < shape.K; k += 4u) {
    let row0_$v = b[k * N4 + col4 + $vu];
    let row1_$v = b[(k + 1u) * N4 + col4 + $vu];
    let row2_$v = b[(k + 2u) * N4 + col4 + $vu];
    let row3_$v = b[(k + 3u) * N4 + col4 + $vu];
    let b$v$i = vec4f(row0_$v[$i], row1_$v[$i], row2_$v[$i], row3_$v[$i]);
#if QUADS
    let w0 = a[k * M4 + row4 + mine];
    let w1 = select(vec4f(), a[(k + 1u) * M4 + row4 + mine], k + 1u < shape.K);
    let w2 = select(vec4f(), a[(k + 2u) * M4 + row4 + mine], k + 2u < shape.K);
    let w3 = select(vec4f(), a[(k + 3u) * M4 + row4 + mine], k + 3u < shape.K);
    let t$i = vec4f(w0[$i], w1[$i], w2[$i], w3[$i]);
    let a$j$i = quadBroadcast(t$i, $ju);
#else
    let w$j0 = a[k * M4 + row4 + $ju];
    let w$j1 = select(vec4f(), a[(k + 1u) * M4 + row4 + $ju], k + 1u < shape.K);
    let w$j2 = select(vec4f(), a[(k + 2u) * M4 + row4 + $ju], k + 2u < shape.K);
    let w$j3 = select(vec4f(), a[(k + 3u) * M4 + row4 + $ju], k + 3u < shape.K);
    let a$j$i = vec4f(w$j0[$i], w$j1[$i], w$j2[$i], w$j3[$i]);
#end
    c$j$i_$v += vec4f(dot(a$j$i, b$v0), dot(a$j$i, b$v1), dot(a$j$i, b$v2), dot(a$j$i, b$v3));
  }
  if (row4 + $ju < M4 && col4 + $vu < N4) { c[((row4 + $ju) * 4u + $iu) * N4 + col4 + $vu] += c$j$i_$v; }
}
