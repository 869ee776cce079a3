import { createServer } from "node:http";
import { expect, test } from "vitest";
import { QuietSocket } from "./platform.ts";

test("a socket to a host that is away closes, and ends no donor", async () => {
  const server = createServer();
  const port = await new Promise<number>((resolve) =>
    server.listen(0, () => resolve((server.address() as { port: number }).port)),
  );
  await new Promise((resolve) => server.close(resolve)); // nobody listens there any more
  const socket = new QuietSocket(`ws://127.0.0.1:${port}`);
  const closed = await new Promise<number>((resolve) => {
    socket.onclose = ({ code }) => resolve(code);
  });
  expect(closed).toBe(1006); // not closed by anybody
});
