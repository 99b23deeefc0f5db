import { serverVariable } from '@posthaste/conformance/server'
import type { EngineKind, Recipe } from './recipe.ts'
import type { ServerReport } from './report.ts'

const standardPorts: Readonly<Record<EngineKind, number>> = {
  ...{ rabbitmq: 5672, kafka: 9092, nats: 4222, redis: 6379 },
  broker: 7420,
}
const encrypted: readonly string[] = ['amqps:', 'kafkas:', 'tls:', 'rediss:', 'links:']

/** Asks a server that the environment names whether it is ready; one that wants TLS is believed. */
export async function ask({ name, kind, probe }: Recipe, text: string): Promise<ServerReport> {
  if (!URL.canParse(text)) return { name, state: 'failed', note: `${serverVariable(name)} is not a URL` }
  const url = new URL(text)
  const shown = withoutPassword(text)
  if (encrypted.includes(url.protocol))
    return { name, state: 'foreign', url: shown, note: 'wants TLS, so it was not asked' }
  if (url.port === '') url.port = String(standardPorts[kind])
  try {
    return { name, state: 'foreign', url: shown, version: await probe(url) }
  } catch (error) {
    const note = `${serverVariable(name)} names it, but: ${(error as Error).message}`
    return { name, state: 'failed', url: shown, note }
  }
}

/** An address as it may be shown: with the password of everybody, but no other. */
export function withoutPassword(text: string): string {
  if (!URL.canParse(text)) return '***'
  const url = new URL(text)
  if (url.password !== '' && url.password !== 'guest') url.password = '***'
  return url.href
}
