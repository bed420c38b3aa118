import io.kestra.core.models.annotations.Plugin;
import io.kestra.core.models.property.Property;
import io.kestra.core.runners.RunContext;
import io.kestra.plugin.scripts.exec.scripts.runners.CommandsWrapper;
import java.util.List;

/** Stands for io.kestra.plugin.scripts.shell.Script. */
@Plugin(aliases = "io.kestra.plugin.scripts.shell.Script")
public class ShellScript extends StandIn {
    protected Property<String> script;

    public Property<String> getScript() {
        return script;
    }

    @Override
    Property<List<String>> lines(RunContext context, CommandsWrapper wrapper) throws Exception {
        return Property.ofValue(List.of(wrapper.render(context, script)));
    }
}
