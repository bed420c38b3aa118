import io.kestra.core.models.property.Property;
import io.kestra.core.models.tasks.RunnableTask;
import io.kestra.core.runners.RunContext;
import io.kestra.plugin.scripts.exec.AbstractExecScript;
import io.kestra.plugin.scripts.exec.scripts.models.ScriptOutput;
import io.kestra.plugin.scripts.exec.scripts.runners.CommandsWrapper;
import java.util.List;

/** What stands for a plugin that no registry serves: Kestra's own io.kestra:script does the work. */
public abstract class StandIn extends AbstractExecScript implements RunnableTask<ScriptOutput> {
    protected Property<String> containerImage = Property.ofValue("ubuntu");

    @Override
    public Property<String> getContainerImage() {
        return containerImage;
    }

    /** Of Python; not installed: the interpreter that tests run with has them. */
    protected Property<List<String>> dependencies;

    public Property<List<String>> getDependencies() {
        return dependencies;
    }

    /** What the interpreter is given. */
    abstract Property<List<String>> lines(RunContext context, CommandsWrapper wrapper) throws Exception;

    @Override
    public ScriptOutput run(RunContext context) throws Exception {
        CommandsWrapper wrapper = commands(context);
        return wrapper.withInterpreter(interpreter).withBeforeCommands(beforeCommands)
            .withBeforeCommandsWithOptions(true).withCommands(lines(context, wrapper)).run();
    }
}
