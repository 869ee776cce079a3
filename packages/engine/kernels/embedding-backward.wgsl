// dweight (V, C) += Σ of dy's rows by token id. WGSL has no float atomics, and their order would not repeat: the CPU groups the rows by
// id instead, and one invocation owns 4 columns of one id. occurrences = [ids present] [their ids: rows] [first place: rows + 1] [row at place: rows]
struct Shape { rows: u32, C: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> occurrences: array<u32>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read_write> dweight: array<vec4f>;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let C4 = shape.C / 4u;
  if (id.x >= C4 || id.y >= occurrences[0]) { return; }
  let token = occurrences[1u + id.y];
  let starts = 1u + shape.rows;
  let places = starts + shape.rows + 1u;
  var sum = vec4f();
  for (var place = occurrences[starts + id.y]; place < occurrences[starts + id.y + 1u]; place++) {
    sum += vec4f(dy[occurrences[places + place] * C4 + id.x]);
  }
  dweight[token * C4 + id.x] += sum;
}
