import io.kestra.core.models.annotations.Plugin;
import io.kestra.core.models.property.Property;
import io.kestra.core.runners.RunContext;
import io.kestra.plugin.scripts.exec.scripts.runners.CommandsWrapper;
import java.util.List;

/** Stands for io.kestra.plugin.scripts.python.Script. */
@Plugin(aliases = "io.kestra.plugin.scripts.python.Script")
public class PythonScript extends ShellScript {
    @Override
    Property<List<String>> lines(RunContext context, CommandsWrapper wrapper) throws Exception {
        byte[] text = wrapper.render(context, script).getBytes();
        return Property.ofValue(List.of("python3 -u " + context.workingDir().createTempFile(text, ".py").getFileName()));
    }
}
