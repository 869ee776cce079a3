import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, test } from "vitest";
import { bindingResponse, startStun } from "./stun.ts";

const transaction = Buffer.from("b7e7a701bc34d686fa87dfae", "hex");
const request = Buffer.concat([Buffer.from("000100002112a442", "hex"), transaction]);

test("the answer to a request from 192.0.2.1:32853 holds the attribute of RFC 5769", () => {
  const response = bindingResponse(request, "192.0.2.1", 32853);
  expect(Buffer.from(response!).toString("hex")).toBe(
    `0101000c2112a442${transaction.toString("hex")}002000080001a147e112a643`,
  );
});

test("and from 2001:db8:1234:5678:11:2233:4455:6677 its IPv6 form", () => {
  const response = bindingResponse(request, "2001:db8:1234:5678:11:2233:4455:6677", 32853);
  expect(Buffer.from(response!).subarray(20).toString("hex")).toBe("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9");
});

test.each([
  ["short", request.subarray(0, 19)],
  ["without the cookie", Buffer.concat([Buffer.from("0001000000000000", "hex"), transaction])],
  ["a response", Buffer.concat([Buffer.from("010100002112a442", "hex"), transaction])],
  ["with a wrong length", Buffer.concat([Buffer.from("000100042112a442", "hex"), transaction])],
])("noise gets no answer: %s", (_, bytes) => {
  expect(bindingResponse(bytes, "192.0.2.1", 1)).toBeUndefined();
});

test("a packet from port 0, where nothing can be sent, gets no answer", () => {
  expect(bindingResponse(request, "192.0.2.1", 0)).toBeUndefined();
});

test("a client learns its own port over UDP", async () => {
  const server = await startStun("127.0.0.1", 0);
  const client = createSocket("udp4");
  client.bind(0, "127.0.0.1");
  await once(client, "listening");
  client.send(request, server.port, "127.0.0.1");
  const [answer] = (await once(client, "message")) as [Buffer];
  expect(answer.readUInt16BE(26) ^ 0x2112).toBe(client.address().port);
  client.close();
  await server.close();
});
