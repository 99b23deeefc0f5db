import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { broker } from '@posthaste/broker'
import { silentLog, systemClock } from 'posthaste/pipeline'

/** Time for an answer, in milliseconds; it is asked again. */
const timeoutMs = 2_000

/** Asks a broker which channels it has. Its version is that of this repository. */
export async function probeBroker(url: URL): Promise<string> {
  const engine = broker({ url: url.href, timeoutMs })
  const host = { clock: systemClock, log: silentLog, instance: 'probe', random: () => 0.5, onState: () => {} }
  try {
    await engine.open(host)
    await engine.topology()
  } finally {
    await engine.close()
  }
  const manifest = readFileSync(join(import.meta.dirname, '../../../packages/broker/package.json'), 'utf8')
  return (JSON.parse(manifest) as { readonly version: string }).version
}
