import type { Command } from '../command/command.ts'
import { bench } from './bench/bench.ts'
import { broker } from './broker.ts'
import { channels } from './channels.ts'
import { completion } from './completion.ts'
import { dlqList } from './dlq/list.ts'
import { dlqDiscard, dlqRedrive } from './dlq/moving.ts'
import { dlqShow } from './dlq/show.ts'
import { groups } from './groups.ts'
import { hashToken } from './hash-token.ts'
import { help } from './help.ts'
import { lag } from './lag.ts'
import { publish } from './publish/publish.ts'
import { seek } from './seek.ts'
import { snapshot } from './snapshot.ts'
import { tail } from './tail/tail.ts'
import { version } from './version.ts'

/** All commands, in the order in which people are told of them. */
export const commands: readonly Command[] = [
  broker,
  hashToken,
  publish,
  tail,
  channels,
  groups,
  lag,
  dlqList,
  dlqShow,
  dlqRedrive,
  dlqDiscard,
  seek,
  snapshot,
  bench,
  completion,
  help,
  version,
]
