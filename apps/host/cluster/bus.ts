// How hosts of a cluster talk: subjects, each message once or not at all, in order from one sender to one receiver (core NATS).
import type { Nats } from "#store/nats";

export interface Bus {
  publish(subject: string, message: object): void;
  /** @returns what ends it */
  subscribe(subject: string, heard: (message: unknown, answer: (message: object) => void) => void): () => void;
  /** Rejects when nobody listens there, or nobody answers in time. */
  request(subject: string, message: object, deadlineMs: number): Promise<unknown>;
}

const encoder = new TextEncoder();
const bytesOf = (message: object): Uint8Array => encoder.encode(JSON.stringify(message));

export function natsBus({ connection }: Pick<Nats, "connection">): Bus {
  const isOpen = (): boolean => !connection.isClosed() && !connection.isDraining();
  return {
    publish(subject, message) {
      if (isOpen()) connection.publish(subject, bytesOf(message)); // while the server is away it waits in the client, in order
    },
    subscribe(subject, heard) {
      const subscription = connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) heard(message.json(), (answer) => message.respond(bytesOf(answer)));
        },
      });
      return () => {
        if (isOpen()) subscription.unsubscribe();
      };
    },
    async request(subject, message, deadlineMs) {
      return (await connection.request(subject, bytesOf(message), { timeout: deadlineMs })).json();
    },
  };
}
