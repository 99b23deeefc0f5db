import type { Engine, SeekTarget } from '@posthaste/contracts'
import type { Feed } from './feed.ts'
import type { BrokerSettings } from './options.ts'

/** A broker as its clients see it. */
export interface Server {
  readonly options: BrokerSettings
  readonly storage: Engine
  opened(): Promise<void>
  feed(channel: string, group: string): Promise<Feed>
  seek(channel: string, group: string, target: SeekTarget): Promise<void>
}
