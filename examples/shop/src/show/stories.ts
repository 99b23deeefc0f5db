import type { Story, StoryName } from './account.ts'
import { asynchronous } from './async/story.ts'
import { avalanche } from './avalanche/story.ts'
import { decoupling } from './decoupling/story.ts'
import { order } from './order/story.ts'
import { peak } from './peak/story.ts'

/** Every story, by its name. */
export const stories: Readonly<Record<StoryName, Story>> = { avalanche, decoupling, order, async: asynchronous, peak }

/** Those that draw charts. */
export const drawn: ReadonlySet<StoryName> = new Set(['avalanche', 'decoupling', 'peak'])
