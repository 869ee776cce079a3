  // Over the keys, of one's own sequence or of another rank's block (attention-block-forward.wgsl): rows base … base + last of qkv, `stride` apart, those up to
  // query$u seen. q$u_$d, scaled, meets them; highest$u, sum$u and y$u_$d go on from what they are.
  for (var key = 0u; key <= end; key += 4u) {
    var s$u_$i = 0.0;
#if QUADS
    let row = (base + min(key + mine, last)) * stride;
    let kRow$d = vec4f(qkv[row + kAt + $du]);
    let vRow$d = vec4f(qkv[row + vAt + $du]);
    let k$d_$i = quadBroadcast(kRow$d, $iu);
    s$u_$i += dot(q$u_$d, k$d_$i);
#else
    let row$i = (base + min(key + $iu, last)) * stride;
    let k$d_$i = vec4f(qkv[row$i + kAt + $du]);
    s$u_$i += dot(q$u_$d, k$d_$i);
#end
    let s$u = select(vec4f(s$u_0, s$u_1, s$u_2, s$u_3), vec4f(NONE), vec4u(key) + vec4u(0u, 1u, 2u, 3u) > vec4u(query$u));
    let higher$u = max(highest$u, max(max(s$u.x, s$u.y), max(s$u.z, s$u.w)));
    let keep$u = exp(highest$u - higher$u);
    let p$u = exp(s$u - higher$u);
    highest$u = higher$u;
    sum$u = sum$u * keep$u + dot(p$u, vec4f(1.0));
    y$u_$d *= keep$u;
#if QUADS
    let v$d_$i = quadBroadcast(vRow$d, $iu);
#else
    let v$d_$i = vec4f(qkv[row$i + vAt + $du]);
#end
    y$u_$d += p$u[$i] * v$d_$i;
  }
