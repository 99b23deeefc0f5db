import { describe, expect, it } from 'vitest'
import type { RawRecord } from './csv.ts'
import { invoiceLine } from './lines.ts'

const record: RawRecord = {
  InvoiceNo: '536365',
  StockCode: '85123a',
  Description: 'WHITE LANTERN',
  Quantity: '6',
  InvoiceDate: '1/12/2010 08:26',
  UnitPrice: '2,55',
  CustomerID: '17850',
  Country: 'United Kingdom',
}

describe('invoiceLine', () => {
  it('reads a line of an order, with the article in capital letters', () => {
    const line = { invoiceNo: '536365', productId: '85123A', quantity: 6, unitPricePence: 255, userId: 17_850 }
    expect(invoiceLine(record)).toEqual(line)
  })

  it('takes a line without a customer for a guest', () => {
    expect(invoiceLine({ ...record, CustomerID: '' })).toMatchObject({ userId: undefined, quantity: 6 })
  })

  it('reads the negative quantity of a cancellation as pieces that come back', () => {
    expect(invoiceLine({ ...record, InvoiceNo: 'C536379', Quantity: '-1' })).toMatchObject({ quantity: 1 })
  })

  it.each([
    [{ InvoiceNo: 'A563185' }, "invoice 'A563185' is no number"],
    [{ InvoiceNo: '' }, "invoice '' is no number"],
    [{ StockCode: '' }, 'has no stock code'],
    [{ Quantity: 'six' }, "quantity 'six' is no whole number"],
    [{ Quantity: '1,5' }, "quantity '1,5' is no whole number"],
    [{ Quantity: '' }, "quantity '' is no whole number"],
    [{ Quantity: '0' }, 'quantity is zero'],
    [{ Quantity: '-10' }, 'quantity -10 is negative'],
    [{ InvoiceNo: 'C1', Quantity: '3' }, 'quantity 3 is positive in a cancellation'],
    [{ Quantity: '100001' }, 'quantity 100001 is beyond 100000'],
    [{ UnitPrice: '0' }, 'price is zero'],
    [{ UnitPrice: '0,00' }, 'price is zero'],
    [{ UnitPrice: '-11062,06' }, 'price -11062,06 is negative'],
    [{ UnitPrice: '2.55' }, "price '2.55' is no amount like 1.234,50"],
    [{ UnitPrice: '' }, "price '' is no amount like 1.234,50"],
    [{ UnitPrice: '0,005' }, "price '0,005' is no amount like 1.234,50"],
    [{ UnitPrice: '999999999' }, 'price 999999999 is beyond all bounds'],
    [{ CustomerID: 'K-17' }, "customer 'K-17' is no number"],
    [{ InvoiceDate: '31/2/2010 08:26' }, "date '31/2/2010 08:26' is not like 31/12/2010 08:26"],
    [{ InvoiceDate: '12/31/2010 08:26' }, "date '12/31/2010 08:26' is not like 31/12/2010 08:26"],
    [{ InvoiceDate: '1/12/2010 24:00' }, "date '1/12/2010 24:00' is not like 31/12/2010 08:26"],
    [{ InvoiceDate: '1/12/2010 08:60' }, "date '1/12/2010 08:60' is not like 31/12/2010 08:26"],
    [{ InvoiceDate: '' }, "date '' is not like 31/12/2010 08:26"],
  ])('refuses %j, and says why', (change, reason) => {
    expect(invoiceLine({ ...record, ...change })).toEqual({ reasons: [reason] })
  })

  it('says everything that is wrong with a line at once', () => {
    const refused = invoiceLine({ ...record, Quantity: '-38', UnitPrice: '0', CustomerID: '?' })
    expect(refused).toEqual({ reasons: ['quantity -38 is negative', 'price is zero', "customer '?' is no number"] })
  })
})
