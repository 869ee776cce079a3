// C (M, N) += Aᵀ · B, A (K, M), B (K, N): the gradient of a linear layer's weight, summed over K tokens. M and N are multiples of 4, K is any.
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
  var c$j0_$v = vec4f();
  var c$j1_$v = vec4f();
  var c$j2_$v = vec4f();
  var c$j3_$v = vec4f();
  for (var k = 0u; k < shape.K; k++) {
    let b$v = b[k * N4 + col4 + $vu];
#if QUADS
    let a4 = a[k * M4 + row4 + mine];
    let a$j = quadBroadcast(a4, $ju);
#else
    let a$j = a[k * M4 + row4 + $ju];
#end
    c$j0_$v += a$j.x * b$v;
    c$j1_$v += a$j.y * b$v;
    c$j2_$v += a$j.z * b$v;
    c$j3_$v += a$j.w * b$v;
  }
  if (row4 + $ju < M4 && col4 + $vu < N4) { c[((row4 + $ju) * 4u + $iu) * N4 + col4 + $vu] += c$j$i_$v; }
}
