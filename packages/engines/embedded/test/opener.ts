/** A process of its own: opens the directory it is given, tells its parent, and publishes when that asks for it. */
import { PosthasteError } from '@posthaste/contracts'
import { record } from './records.ts'
import { declared, opened } from './rig.ts'

const tell = (message: unknown) => process.send?.(message)

try {
  const { engine } = await opened(process.argv[2] ?? '')
  process.on('message', async () => {
    await declared(engine)
    tell(await engine.publish([record('1'), record('2')]))
  })
  tell('open')
} catch (error) {
  tell(PosthasteError.is(error) ? { code: error.code, details: error.details } : String(error))
}
