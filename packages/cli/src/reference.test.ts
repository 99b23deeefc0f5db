import { join } from 'node:path'
import { expect, it } from 'vitest'
import { referencePage } from '../test/reference.ts'

const page = join(import.meta.dirname, '../../../docs/reference/cli.md')

it('has a page that says what the commands say themselves; where they have changed, run this test with -u', async () => {
  await expect(referencePage()).toMatchFileSnapshot(page)
})
