// C (M, N) = A (M, K) · B (K, N): the gradient of a linear layer's input. K and N are multiples of 4.
// One invocation owns ROWS x COLS of C, in registers. Loads beyond an edge read something else in bounds and are not stored.
#if QUADS
enable subgroups;
#end
struct Shape { M: u32, N: u32, K: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<Stored>>;

@compute @workgroup_size(GROUP_X, GROUP_Y)
#if QUADS
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let mine = lane & 3u;
#else
fn main(@builtin(global_invocation_id) id: vec3u) {
#end
  let K4 = shape.K / 4u;
  let N4 = shape.N / 4u;
  let row = id.y * ROWS;
  let col4 = id.x * COLS4;
  var c$g$j$i_$v = vec4f();
  for (var k = 0u; k < K4; k++) {
    let b$v_$i = vec4f(b[(4u * k + $iu) * N4 + col4 + $vu]);
    let b$v = mat4x4f(b$v_0, b$v_1, b$v_2, b$v_3); // b's rows are its columns
#if QUADS
    let a$g$j = vec4f(a[(row + 16u * $gu + 4u * $ju + mine) * K4 + k]);
    let a$g$j$i = quadBroadcast(a$g$j, $iu);
#else
    let a$g$j$i = vec4f(a[(row + 16u * $gu + 4u * $ju + $iu) * K4 + k]);
#end
    c$g$j$i_$v += b$v * a$g$j$i;
  }
  // Stored in a loop: written out, the stores are more code than all the rest, and a software adapter compiles twice as long.
  var sums: array<vec4f, ROWS * COLS4>;
  sums[(16u * $gu + 4u * $ju + $iu) * COLS4 + $vu] = c$g$j$i_$v;
  for (var i = 0u; i < ROWS * COLS4; i++) {
    let r = row + i / COLS4;
    let v = col4 + i % COLS4;
    if (r < shape.M && v < N4) { c[r * N4 + v] = vec4<Stored>(sums[i]); }
  }
}
