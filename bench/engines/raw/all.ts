import type { Contestant, ServerName } from '../contestant.ts'

/** The client of each server by itself, loaded when asked for. */
export const raw: Readonly<Record<ServerName, () => Promise<Contestant>>> = {
  rabbitmq: async () => (await import('./rabbitmq.ts')).rabbitmq,
  kafka: async () => (await import('./kafka.ts')).kafka,
  nats: async () => (await import('./nats.ts')).nats,
  redis: async () => (await import('./redis.ts')).redis,
}
