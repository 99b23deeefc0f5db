import process from 'node:process'
import { type BrokerWork, brokerFigures } from './brokers.ts'
import type { ToldFigures } from './brokers-apart.ts'

/** Measures the brokers and prints their figures. Whoever began this holds its standard input open; brokers end with it. */
process.stdin.on('end', () => process.exit(1)).resume()
const work = JSON.parse(process.argv[2] ?? '') as BrokerWork
const { rates, notes } = await brokerFigures(work)
const told: ToldFigures = { rates: [...rates].map(([{ name }, figures]) => [name, figures]), notes }
process.stdout.write(JSON.stringify(told), () => process.exit(0))
