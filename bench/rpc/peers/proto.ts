/** What the contestants with protobuf share: the fields of an order, of a request for a stream, and the service. */
export const orderProto = `
syntax = "proto3";
package bench;
message Order {
  string orderNo = 1;
  string sku = 2;
  int32 quantity = 3;
  double price = 4;
  string note = 5;
}
message Watch {
  int32 noteBytes = 1;
  int32 count = 2;
}
service Shop {
  rpc Echo(Order) returns (Order);
  rpc Watch(Watch) returns (stream Order);
}
`
