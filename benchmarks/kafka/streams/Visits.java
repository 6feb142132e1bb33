import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams keeping the small visitor-session state; see README.md. */
public final class Visits {
    static final long GAP_MS = 30 * 60_000L;
    static final Map<String, Integer> STAGES =
        Map.of("page_view", 1, "product_view", 2, "cart_add", 3, "checkout_start", 3, "purchase", 4);
    static final JsonFactory JSON = new JsonFactory();

    /** One visitor's state. */
    static final class Visit {
        int sessions, events, pages, stage;
        long last = -2 * GAP_MS, start;

        void take(String type, long at) {
            if (at - last > GAP_MS) {
                sessions++;
                start = at;
                events = pages = stage = 0;
            }
            last = Math.max(last, at);
            events++;
            if (type.equals("page_view")) pages++;
            stage = Math.max(stage, STAGES.getOrDefault(type, 0));
        }
    }

    static Serde<Visit> visits() {
        Serializer<Visit> write = (topic, visit) -> visit == null ? null
            : ByteBuffer.allocate(32).putInt(visit.sessions).putInt(visit.events).putInt(visit.pages)
                .putInt(visit.stage).putLong(visit.last).putLong(visit.start).array();
        Deserializer<Visit> read = (topic, bytes) -> {
            if (bytes == null) return null;
            ByteBuffer from = ByteBuffer.wrap(bytes);
            Visit visit = new Visit();
            visit.sessions = from.getInt();
            visit.events = from.getInt();
            visit.pages = from.getInt();
            visit.stage = from.getInt();
            visit.last = from.getLong();
            visit.start = from.getLong();
            return visit;
        };
        return Serdes.serdeFrom(write, read);
    }

    /** Folds each line of a record: one event, or many as newline-delimited JSON. */
    static final class Fold implements Processor<byte[], byte[], Void, Void> {
        private final Progress progress;
        private KeyValueStore<String, Visit> store;

        Fold(Progress progress) {
            this.progress = progress;
        }

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            store = context.getStateStore("visits");
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            try (JsonParser parser = JSON.createParser(record.value())) {
                while (parser.nextToken() == JsonToken.START_OBJECT) one(parser);
            } catch (IOException error) {
                throw new IllegalArgumentException(error);
            }
        }

        private void one(JsonParser parser) throws IOException {
            String source = "", visitor = "", type = "";
            long at = 0;
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = parser.currentName();
                parser.nextToken();
                switch (name) {
                    case "source" -> source = parser.getText();
                    case "visitor_id" -> visitor = parser.getText();
                    case "type" -> type = parser.getText();
                    case "ts_ms" -> at = parser.getLongValue();
                    default -> parser.skipChildren();
                }
            }
            String key = source + '\u001f' + visitor;
            Visit visit = store.get(key);
            if (visit == null) visit = new Visit();
            visit.take(type, at);
            store.put(key, visit);
            progress.count(visit);
        }
    }

    /** Tells the harness how far the work is, as benchmarks/kafka/visit.py does. */
    static final class Progress {
        private final long warm, all;
        private final CountDownLatch done = new CountDownLatch(1);
        private long events, sessions;

        Progress(long warm, long all) {
            this.warm = warm;
            this.all = all;
        }

        void count(Visit visit) {
            events++;
            if (visit.events == 1) sessions++;
            if (events == warm) tell();
            if (events == all) done.countDown();
        }

        void tell() {
            System.out.printf("{\"events\":%d,\"sessions\":%d}%n", events, sessions);
        }
    }

    /** Arguments: bootstrap, topic, events, warm, data folder, rocksdb or memory, guarantee. */
    public static void main(String[] args) throws InterruptedException {
        Progress progress = new Progress(Long.parseLong(args[3]), Long.parseLong(args[2]));
        var supplier = args[5].equals("memory")
            ? Stores.inMemoryKeyValueStore("visits") : Stores.persistentKeyValueStore("visits");
        Topology topology = new Topology();
        topology.addSource("in", args[1]);
        topology.addProcessor("fold", () -> new Fold(progress), "in");
        topology.addStateStore(
            Stores.keyValueStoreBuilder(supplier, Serdes.String(), visits()).withCachingEnabled(),
            "fold");
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "streams-" + args[5] + "-" + args[6] + "-" + args[1]);
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        config.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, args[6]);
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        config.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        config.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        config.put("auto.offset.reset", "earliest");
        KafkaStreams streams = new KafkaStreams(topology, config);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        progress.done.await();
        streams.close(); // writes the cache and the changelog, and commits
        progress.tell();
    }
}
