import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'
import type { Ports } from './recipe.ts'

/**
 * Below where systems take the ports of outgoing connections from. A server that is restarted must get its port back,
 * and a client that reconnects to a free port of that range can even meet itself.
 */
const range = [18_000, 31_000] as const

/** Whether a server could listen there. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Whether somebody listens there. */
export async function isOpen(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port })
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).finally(() => socket.destroy()) as Promise<boolean>
}

/** The ports asked for, and another for each that is taken. */
export async function freePorts(wanted: Ports): Promise<Ports> {
  const taken = new Set<number>()
  const entries: [string, number][] = []
  for (const [purpose, port] of Object.entries(wanted)) {
    let chosen = port
    while (taken.has(chosen) || !(await isFree(chosen))) chosen = randomInt(...range)
    taken.add(chosen)
    entries.push([purpose, chosen])
  }
  return Object.fromEntries(entries) as Ports
}

/** As many ports as `purposes` has, anywhere. */
export async function anyPorts(purposes: Ports): Promise<Ports> {
  return freePorts(Object.fromEntries(Object.keys(purposes).map((purpose) => [purpose, randomInt(...range)])) as Ports)
}
