import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { LinkClientOptions, LinkOptions } from '@posthaste/link'
import { certificates } from './certificates.ts'
import type { Contestant } from './contestant.ts'

/** Who takes part, by the name that figures have. */
export const contestants = {
  ours: async () => ours({ port: 0 }),
  'ours over TLS': async () => {
    const { key, cert, ca } = certificates()
    return ours({ port: 0, tls: { key, cert } }, { tls: { ca } })
  },
  'ours over a Unix socket': async () => ours({ path: join(tmpdir(), `posthaste-bench-${process.pid}.sock`) }),
  'raw TCP': async () => (await import('./raw-tcp.ts')).rawTcp,
  'node:http and undici': () => peer('undici'),
  Fastify: () => peer('fastify'),
  'grpc-js': () => peer('grpc-js'),
  'connect-node': () => peer('connect-node'),
  Moleculer: () => peer('moleculer'),
  NestJS: () => peer('nest'),
} satisfies Record<string, () => Promise<Contestant>>

/** One of {@link contestants}. */
export type ContestantName = keyof typeof contestants

/** A process loads what it needs and nothing else. */
async function ours(server: LinkOptions, client?: Omit<LinkClientOptions, 'url'>): Promise<Contestant> {
  return (await import('./ours.ts')).ours(server, client)
}

/** What they need is installed apart from everything else, so nothing here may depend on its types. */
async function peer(file: string): Promise<Contestant> {
  const module: { readonly contestant: Contestant } = await import(`./peers/${file}.ts`)
  return module.contestant
}
