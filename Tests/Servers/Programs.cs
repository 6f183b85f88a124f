using LlmMarketplace.Embedded;

namespace LlmMarketplace.Servers;

/// <summary>Programs of the system that tests start.</summary>
public static class Programs
{
    /// <summary>The full path of a program in PATH, or null.</summary>
    public static string? Find(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Select(directory => Path.Combine(directory, name))
        .FirstOrDefault(File.Exists);

    /// <summary>Starts a program that dies with this process, and waits until it writes a line with this text.</summary>
    public static async Task<ChildProcess> StartUntilAsync(string text, TimeSpan patience, ChildProcessOptions options)
    {
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var process = await ChildProcess.StartAsync(options with
        {
            OnLine = line =>
            {
                options.OnLine?.Invoke(line);
                if (line.Contains(text, StringComparison.Ordinal))
                {
                    ready.TrySetResult();
                }
            },
        });
        if (await Task.WhenAny(ready.Task, process.Exited, Task.Delay(patience)) == ready.Task)
        {
            return process;
        }

        var wrote = string.Join('\n', process.LastLines);
        await process.DisposeAsync();
        throw new InvalidOperationException($"{options.FileName} was not ready ('{text}') within {patience.TotalSeconds:0} s; it wrote:\n{wrote}");
    }
}
