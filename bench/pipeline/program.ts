import process from 'node:process'
import { nsPerCall } from './speed.ts'
import { type Library, paths } from './subject.ts'
import { subjectsOf } from './subjects.ts'

// One library in a process of its own, each subject on each path: `program.ts <library> <milliseconds for each>`.
const [library = 'ours', budgetMs = '50'] = process.argv.slice(2)

const subjects = await subjectsOf(library as Library)
const figures: [subject: string, path: string, ns: number][] = []
for (const warm of [true, false]) {
  for (const subject of subjects) {
    for (const path of paths) {
      const ns = await nsPerCall(subject, path, Number(budgetMs))
      if (!warm) figures.push([subject.name, path, ns])
    }
  }
}
process.stdout.write(JSON.stringify(figures))
process.exit(0)
