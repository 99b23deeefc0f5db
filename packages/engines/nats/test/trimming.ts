import { silentLog, systemClock } from 'posthaste/pipeline'
import { capabilitiesOf, defaultPayloadBytesMax } from '../src/features.ts'
import { Link } from '../src/link.ts'
import { namesFor } from '../src/names.ts'
import { settingsOf } from '../src/options.ts'
import { Retention } from '../src/retention.ts'
import { ServerTime } from '../src/time.ts'
import { TopologyKeeper } from '../src/topology.ts'
import type { Rig } from './rig.ts'

/** Trims the channel `c` now, instead of in its turn. */
export async function retentionOf({ url, prefix }: Rig): Promise<void> {
  const settings = settingsOf({ url, prefix })
  const host = { clock: systemClock, log: silentLog, instance: 'trim', random: () => 0.5, onState: () => {} }
  const link = new Link(settings, host)
  await link.open()
  const capabilities = () => capabilitiesOf(defaultPayloadBytesMax, settings.leaseMs)
  const topology = new TopologyKeeper({ link, names: namesFor(prefix), capabilities, onTemporary: async () => {} })
  const retention = new Retention({ link, time: new ServerTime(), topology })
  await retention.trim(await topology.channel('c'))
  retention.close()
  await link.close()
}
