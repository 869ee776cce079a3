// C (M, N) += Aᵀ · B, A (K, M), B (K, N): the gradient of a linear layer's weight, summed over K tokens. M and N are multiples of 4, K is any: what lies
// beyond the last token counts as zero.
// One invocation owns ROWS x COLS of C, in registers. Loads beyond an edge read something else in bounds and are not stored.
#if QUADS
enable subgroups;
#end
struct Shape { M: u32, N: u32, K: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<Stored>>;
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
  var c$g$j$i_$v = vec4f();
  for (var k = 0u; k < shape.K; k += 4u) {
    let b$v_$i = vec4f(b[(k + $iu) * N4 + col4 + $vu]);
    let b$v = mat4x4f(b$v_0, b$v_1, b$v_2, b$v_3); // b's rows are its columns
#if QUADS
    let w$g_0 = vec4f(a[k * M4 + row4 + 4u * $gu + mine]);
    let w$g_1 = select(vec4f(), vec4f(a[(k + 1u) * M4 + row4 + 4u * $gu + mine]), k + 1u < shape.K);
    let w$g_2 = select(vec4f(), vec4f(a[(k + 2u) * M4 + row4 + 4u * $gu + mine]), k + 2u < shape.K);
    let w$g_3 = select(vec4f(), vec4f(a[(k + 3u) * M4 + row4 + 4u * $gu + mine]), k + 3u < shape.K);
    let t$g$i = vec4f(w$g_0[$i], w$g_1[$i], w$g_2[$i], w$g_3[$i]);
    let a$g$j$i = quadBroadcast(t$g$i, $ju);
#else
    let w$g$j0 = vec4f(a[k * M4 + row4 + 4u * $gu + $ju]);
    let w$g$j1 = select(vec4f(), vec4f(a[(k + 1u) * M4 + row4 + 4u * $gu + $ju]), k + 1u < shape.K);
    let w$g$j2 = select(vec4f(), vec4f(a[(k + 2u) * M4 + row4 + 4u * $gu + $ju]), k + 2u < shape.K);
    let w$g$j3 = select(vec4f(), vec4f(a[(k + 3u) * M4 + row4 + 4u * $gu + $ju]), k + 3u < shape.K);
    let a$g$j$i = vec4f(w$g$j0[$i], w$g$j1[$i], w$g$j2[$i], w$g$j3[$i]);
#end
    c$g$j$i_$v += b$v * a$g$j$i;
  }
  // Stored in a loop: written out, the stores are more code than all the rest, and a software adapter compiles twice as long.
  var sums: array<vec4f, ROWS * COLS4>;
  sums[(16u * $gu + 4u * $ju + $iu) * COLS4 + $vu] = c$g$j$i_$v;
  for (var i = 0u; i < ROWS * COLS4; i++) {
    let r = row4 * 4u + i / COLS4;
    let v = col4 + i % COLS4;
    if (r < shape.M && v < N4) { c[r * N4 + v] += sums[i]; }
  }
}
