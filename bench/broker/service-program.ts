import process from 'node:process'
import { configOf, startBroker } from '@posthaste/broker-service'

/** Runs a broker of the given configuration, and prints where it is. It ends with its standard input. */
const [config = '{}'] = process.argv.slice(2)
const silent = (): void => {}
const log = { debug: silent, info: silent, warn: silent, error: console.error }
const given = { listen: ['link://127.0.0.1:0'], health: false, ...(JSON.parse(config) as object) }
const broker = await startBroker(configOf(JSON.stringify(given), {}), { log })
process.stdin.on('end', () => void broker.stop().then(() => process.exit(0))).resume()
process.stdout.write(`${JSON.stringify({ url: broker.urls[0], healthUrl: broker.healthUrl })}\n`)
