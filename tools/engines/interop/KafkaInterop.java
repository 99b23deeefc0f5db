import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A client of Kafka that knows CloudEvents, but nothing of Posthaste. One request per line on the standard input, as
 * JSON; one answer per line on the standard output.
 *
 * @see <a href="https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md">binding</a>
 */
public final class KafkaInterop {
  private static final String PREFIX = "ce_";
  private static final String CONTENT_TYPE = "content-type";
  private static final long PATIENCE_MS = 20_000;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final String servers;
  private final KafkaProducer<String, byte[]> producer;

  private KafkaInterop(String servers) {
    this.servers = servers;
    Map<String, Object> config = Map.of("bootstrap.servers", servers, "acks", "all");
    this.producer = new KafkaProducer<>(config, new StringSerializer(), new ByteArraySerializer());
  }

  public static void main(String[] args) throws Exception {
    var client = new KafkaInterop(args[0]);
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (var line = input.readLine(); line != null; line = input.readLine()) {
      System.out.println(client.answer(JSON.readTree(line)));
    }
  }

  private ObjectNode answer(JsonNode request) {
    try {
      return switch (request.get("do").asText()) {
        case "publish" -> publish(request);
        case "read" -> read(request);
        case "remove" -> remove(request);
        default -> throw new IllegalArgumentException(request.toString());
      };
    } catch (Exception error) {
      return JSON.createObjectNode().put("error", error.toString());
    }
  }

  /** Publishes an event in binary mode; its key decides about the partition. */
  private ObjectNode publish(JsonNode request) throws Exception {
    var attributes = request.get("attributes");
    var key = attributes.path("partitionkey").asText(null);
    var record = new ProducerRecord<>(request.get("topic").asText(), key, request.get("data").binaryValue());
    for (var attribute : attributes.properties()) {
      var isType = attribute.getKey().equals("datacontenttype");
      var value = attribute.getValue().asText().getBytes(StandardCharsets.UTF_8);
      record.headers().add(isType ? CONTENT_TYPE : PREFIX + attribute.getKey(), value);
    }
    return JSON.createObjectNode().put("partition", producer.send(record).get().partition());
  }

  /** Reads a topic from its start until so many events have come. */
  private ObjectNode read(JsonNode request) throws Exception {
    Map<String, Object> config = Map.of("bootstrap.servers", servers, "isolation.level", "read_committed");
    try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new ByteArrayDeserializer())) {
      var topic = request.get("topic").asText();
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream().map(each -> new TopicPartition(topic, each.partition())).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      var answer = JSON.createObjectNode();
      ArrayNode events = answer.putArray("events");
      var deadline = System.currentTimeMillis() + PATIENCE_MS;
      while (events.size() < request.get("count").asInt()) {
        if (System.currentTimeMillis() > deadline) throw new TimeoutException("only " + events.size() + " events came");
        for (var record : consumer.poll(Duration.ofMillis(200))) events.add(event(record));
      }
      return answer;
    }
  }

  /** Removes all topics whose names begin so. */
  private ObjectNode remove(JsonNode request) throws Exception {
    try (var admin = Admin.create(Map.of("bootstrap.servers", servers))) {
      var prefix = request.get("prefix").asText();
      var topics = admin.listTopics().names().get().stream().filter(name -> name.startsWith(prefix)).toList();
      admin.deleteTopics(topics).all().get();
      return JSON.createObjectNode().put("removed", topics.size());
    }
  }

  private static ObjectNode event(ConsumerRecord<String, byte[]> record) {
    var event = JSON.createObjectNode().put("key", record.key()).put("partition", record.partition());
    event.put("data", record.value());
    ObjectNode attributes = event.putObject("attributes");
    for (Header header : record.headers()) {
      var value = new String(header.value(), StandardCharsets.UTF_8);
      if (header.key().equals(CONTENT_TYPE)) attributes.put("datacontenttype", value);
      else if (header.key().startsWith(PREFIX)) attributes.put(header.key().substring(PREFIX.length()), value);
    }
    return event;
  }
}
