import com.fasterxml.jackson.databind.ObjectMapper;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.models.executions.ExecutionKilled;
import io.kestra.core.models.executions.ExecutionKilledExecution;
import io.kestra.core.models.flows.FlowSource;
import io.kestra.core.models.flows.FlowWithSource;
import io.kestra.core.models.flows.GenericFlow;
import io.kestra.core.queues.QueueFactoryInterface;
import io.kestra.core.queues.QueueInterface;
import io.kestra.core.repositories.ExecutionRepositoryInterface;
import io.kestra.core.repositories.FlowRepositoryInterface;
import io.kestra.core.repositories.LogRepositoryInterface;
import io.kestra.core.repositories.MetricRepositoryInterface;
import io.kestra.core.runners.ExecutorInterface;
import io.kestra.core.runners.FlowInputOutput;
import io.kestra.core.runners.Indexer;
import io.kestra.core.runners.VariableRenderer;
import io.kestra.core.runners.Worker;
import io.kestra.core.serializers.JacksonMapper;
import io.kestra.core.services.FlowService;
import io.kestra.core.storages.StorageInterface;
import io.micronaut.context.ApplicationContext;
import io.micronaut.data.model.Pageable;
import io.micronaut.inject.qualifiers.Qualifiers;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Kestra's own engine, asked over its standard input: one JSON question a line, one JSON answer a line. */
public class Engine {
    static final ObjectMapper JSON = JacksonMapper.ofJson();
    static final String TENANT = "main";

    final ApplicationContext context;

    Engine(ApplicationContext context) {
        this.context = context;
    }

    public static void main(String[] args) throws Exception {
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        Engine engine = new Engine(ApplicationContext.builder().properties(properties(args[0])).start());
        if (args.length > 1) {
            engine.serve();
        }
        answers.println("{\"ready\": true}");
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = questions.readLine()) != null; ) {
            answers.println(JSON.writeValueAsString(engine.answer(JacksonMapper.toMap(line))));
        }
        Runtime.getRuntime().halt(0);
    }

    static Map<String, Object> properties(String folder) {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("kestra.repository.type", "h2");
        all.put("kestra.queue.type", "h2");
        all.put("kestra.storage.type", "local");
        all.put("kestra.storage.local.base-path", folder + "/storage");
        all.put("kestra.tasks.tmp-dir.path", folder + "/work");
        all.put("kestra.jdbc.queues.min-poll-interval", "5ms");
        all.put("kestra.jdbc.queues.max-poll-interval", "25ms");
        all.put("kestra.jdbc.queues.poll-switch-interval", "5s");
        all.put("kestra.anonymous-usage-report.enabled", false);
        // Without it script tasks run in Docker, which is no question of ours.
        all.put("kestra.plugins.defaults", List.of(Map.of(
            "type", "io.kestra.plugin.scripts",
            "values", Map.of("taskRunner", Map.of("type", "io.kestra.plugin.core.runner.Process")))));
        all.put("datasources.h2.url", "jdbc:h2:mem:engine;DB_CLOSE_DELAY=-1;LOCK_TIMEOUT=30000");
        all.put("datasources.h2.username", "sa");
        all.put("datasources.h2.password", "");
        all.put("datasources.h2.driver-class-name", "org.h2.Driver");
        all.put("flyway.datasources.h2.enabled", true);
        all.put("flyway.datasources.h2.locations", "classpath:migrations/h2");
        all.put("flyway.datasources.h2.ignore-migration-patterns", "*:missing,*:future");
        all.put("flyway.datasources.h2.out-of-order", true);
        return all;
    }

    /** What `server local` starts, less the web server and the scheduler of triggers. */
    void serve() {
        ExecutorService threads = Executors.newCachedThreadPool();
        threads.execute(context.getBean(ExecutorInterface.class));
        Worker worker = context.createBean(Worker.class, UUID.randomUUID().toString(), 4, null);
        context.registerSingleton(worker);
        threads.execute(worker);
        threads.execute(context.getBean(Indexer.class));
    }

    Map<String, Object> answer(Map<String, Object> question) {
        Map<String, Object> said = new LinkedHashMap<>();
        try {
            said.put("value", switch ((String) question.get("ask")) {
                case "render" -> render(question);
                case "validate" -> validate(question);
                case "flow" -> flow((String) question.get("source"));
                case "start" -> start(question);
                case "execution" -> execution(id(question));
                case "logs" -> context.getBean(LogRepositoryInterface.class).findByExecutionId(TENANT, id(question), null);
                case "metrics" -> context.getBean(MetricRepositoryInterface.class).findByExecutionId(TENANT, id(question), Pageable.UNPAGED);
                case "kill" -> kill(id(question));
                case "file" -> file(question);
                default -> throw new IllegalArgumentException("nobody knows how to " + question.get("ask"));
            });
        } catch (Throwable error) {
            said.put("error", error.getClass().getSimpleName() + ": " + error.getMessage());
            error.printStackTrace();
        }
        return said;
    }

    static String id(Map<String, Object> question) {
        return (String) question.get("id");
    }

    @SuppressWarnings("unchecked")
    String render(Map<String, Object> question) throws Exception {
        Map<String, Object> variables = (Map<String, Object>) question.get("variables");
        return context.getBean(VariableRenderer.class).render((String) question.get("template"), variables);
    }

    Object validate(Map<String, Object> question) {
        return context.getBean(FlowService.class).validate(TENANT, List.of(new FlowSource(null, (String) question.get("source"))));
    }

    FlowWithSource flow(String source) throws Exception {
        GenericFlow flow = GenericFlow.fromYaml(TENANT, source);
        FlowRepositoryInterface flows = context.getBean(FlowRepositoryInterface.class);
        Optional<FlowWithSource> before = flows.findByIdWithSource(TENANT, flow.getNamespace(), flow.getId());
        return before.isPresent() ? flows.update(flow, before.get()) : flows.create(flow);
    }

    @SuppressWarnings("unchecked")
    Execution start(Map<String, Object> question) throws Exception {
        FlowRepositoryInterface flows = context.getBean(FlowRepositoryInterface.class);
        FlowWithSource flow = flows.findByIdWithSource(TENANT, (String) question.get("namespace"), (String) question.get("flow")).orElseThrow();
        Map<String, Object> inputs = new LinkedHashMap<>((Map<String, Object>) question.getOrDefault("inputs", Map.of()));
        for (Map.Entry<String, Object> file : ((Map<String, Object>) question.getOrDefault("files", Map.of())).entrySet()) {
            inputs.put(file.getKey(), upload(flow, file.getKey(), Path.of((String) file.getValue())));
        }
        FlowInputOutput reader = context.getBean(FlowInputOutput.class);
        Execution made = Execution.newExecution(flow, (of, execution) -> reader.readExecutionInputs(of, execution, inputs), null, Optional.empty());
        queue(QueueFactoryInterface.EXECUTION_NAMED).emit(made);
        return made;
    }

    String upload(FlowWithSource flow, String name, Path file) throws Exception {
        URI place = URI.create("kestra:///" + flow.getNamespace().replace('.', '/') + "/" + UUID.randomUUID() + "/" + name);
        try (InputStream content = Files.newInputStream(file)) {
            return context.getBean(StorageInterface.class).put(TENANT, flow.getNamespace(), place, content).toString();
        }
    }

    Execution execution(String id) {
        return context.getBean(ExecutionRepositoryInterface.class).findById(TENANT, id).orElse(null);
    }

    boolean kill(String id) throws Exception {
        queue(QueueFactoryInterface.KILL_NAMED).emit(ExecutionKilledExecution.builder()
            .state(ExecutionKilled.State.REQUESTED).executionId(id).isOnKillCascade(true).tenantId(TENANT).build());
        return true;
    }

    String file(Map<String, Object> question) throws Exception {
        Path to = Path.of((String) question.get("to"));
        try (InputStream content = context.getBean(StorageInterface.class).get(TENANT, null, URI.create((String) question.get("uri")))) {
            Files.copy(content, to, StandardCopyOption.REPLACE_EXISTING);
        }
        return to.toString();
    }

    @SuppressWarnings("unchecked")
    <T> QueueInterface<T> queue(String name) {
        return context.getBean(QueueInterface.class, Qualifiers.byName(name));
    }
}
