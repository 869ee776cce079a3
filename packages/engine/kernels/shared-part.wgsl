// Some positions of each sequence, or some heads of each row, apart from all of them: part (rows, width) dense, whole (more rows, or more heads).
// Positions are those of `rank` of `ranks` (island/zig-zag.ts): an early and a late chunk. Heads are those of `group` of `groups`: of width vec4 the last 2 k4
// are keys and values, which lie behind all queries in the whole. Widths count vec4; an invocation takes one of EACH rows.
struct Shape { rows: u32, T: u32, width4: u32, k4: u32, ranks: u32, rank: u32, groups: u32, group: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
#if PUT
@group(0) @binding(1) var<storage, read> part: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> whole: array<vec4<Stored>>;
#else
@group(0) @binding(1) var<storage, read> whole: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> part: array<vec4<Stored>>;
#end

fn columnOf(own: u32) -> u32 {
  let q4 = shape.width4 - 2u * shape.k4;
  if (own < q4) { return shape.group * q4 + own; }
  let key = own - q4;
  return shape.groups * q4 + (key / shape.k4 * shape.groups + shape.group) * shape.k4 + key % shape.k4;
}

fn rowOf(own: u32) -> u32 {
  let half = shape.T / 2u;
  let row = own % shape.T;
  let late = row >= half;
  let chunk = select(shape.rank, 2u * shape.ranks - 1u - shape.rank, late);
  return own / shape.T * shape.T * shape.ranks + chunk * half + select(row, row - half, late);
}

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.width4) { return; }
  let column = columnOf(id.x);
  for (var row = id.y * EACH; row < min((id.y + 1u) * EACH, shape.rows); row++) {
    let at = rowOf(row) * shape.width4 * shape.groups + column;
    let own = row * shape.width4 + id.x;
#if PUT
    whole[at] = part[own];
#else
    part[own] = whole[at];
#end
  }
}
