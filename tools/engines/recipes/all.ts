import type { Recipe, ServerName } from '../recipe.ts'
import { broker } from './broker.ts'
import { kafka } from './kafka.ts'
import { nats, nats29 } from './nats.ts'
import { rabbitmq } from './rabbitmq.ts'
import { redis } from './redis.ts'

/** Every server that can be started. */
export const recipes: Readonly<Record<ServerName, Recipe>> = {
  rabbitmq,
  kafka,
  nats,
  'nats-2.9': nats29,
  redis,
  broker,
}
