import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { probeBroker } from '../probes/broker.ts'
import type { Place, Recipe } from '../recipe.ts'

/** Our own broker, as a process of its own, from its sources. */
export const broker: Recipe = {
  name: 'broker',
  kind: 'broker',
  ports: { main: 27420, health: 27421 },
  probe: probeBroker,
  find: async () => ({ path: process.execPath }),
  async prepare({ path }, place) {
    const { dir, ports } = place
    const file = join(dir, 'broker.json')
    writeFileSync(file, brokerConfig(place), { mode: 0o600 })
    return {
      launches: [
        {
          command: path,
          args: ['--conditions=source', join(import.meta.dirname, '../../../packages/broker/src/main.ts')],
          env: { POSTHASTE_BROKER_CONFIG: file },
          listensOn: ports.main,
        },
      ],
      url: `link://127.0.0.1:${ports.main}`,
    }
  },
}

/** Without users and TLS, which are for what leaves the machine; clients have little time to hand back what they have. */
export function brokerConfig({ dir, ports }: Place): string {
  const config = {
    dataDir: join(dir, 'data'),
    listen: `link://127.0.0.1:${ports.main}`,
    health: { port: ports.health },
    limits: { channelsMax: 1_000_000 },
    drainMs: 2_000,
  }
  return `${JSON.stringify(config, undefined, 2)}\n`
}
