using System.ComponentModel;
using System.Diagnostics;

namespace LlmMarketplace.Embedded;

/// <summary>
/// A child process that dies with this one, however this one ends: <c>setpriv --pdeathsig</c> asks the kernel for a signal at our death.
/// It is in a session of its own (<c>setsid</c>), so that Ctrl-C in a terminal reaches only us and we stop it when its users are done.
/// </summary>
public sealed class ChildProcess : IAsyncDisposable
{
    private const int KeptLines = 60;
    private readonly Process process;
    private readonly Action<string>? onLine;
    private readonly Queue<string> lines = new();

    private ChildProcess(Process process, Action<string>? onLine)
    {
        (this.process, this.onLine, Id) = (process, onLine, process.Id);
        Exited = WaitAsync();
    }

    /// <summary>The process id: the program's own, as setsid and setpriv become it.</summary>
    public int Id { get; }

    /// <summary>Ends with the exit code when the process has ended and all its output is read.</summary>
    public Task<int> Exited { get; }

    /// <summary>The last lines it wrote.</summary>
    public IReadOnlyList<string> LastLines
    {
        get
        {
            lock (lines)
            {
                return [.. lines];
            }
        }
    }

    /// <summary>Starts it.</summary>
    /// <exception cref="EmbeddedServerException">The tools setsid and setpriv are missing. (A missing program shows as exit code 127.)</exception>
    public static async Task<ChildProcess> StartAsync(ChildProcessOptions options)
    {
        var start = new ProcessStartInfo("setsid", Wrap(options))
        {
            WorkingDirectory = options.WorkingDirectory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        start.Environment["DOTNET_hostBuilder__reloadConfigOnChange"] = "false"; // A .NET server watches its working directory for changed settings, with all folders below: the whole disk, from the root.
        foreach (var (name, value) in options.Environment)
        {
            start.Environment[name] = value;
        }

        try
        {
            var process = await ParentThread.RunAsync(() => Process.Start(start)!);
            process.StandardInput.Close();
            return new ChildProcess(process, options.OnLine);
        }
        catch (Win32Exception e)
        {
            throw new EmbeddedServerException($"Could not start {options.FileName} through setsid and setpriv ({e.Message}): install the package util-linux.", e);
        }
    }

    /// <summary>Runs a program to its end; all of its output is one trimmed text.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(ChildProcessOptions options, CancellationToken cancellation = default)
    {
        await using var child = await StartAsync(options);
        var code = await child.Exited.WaitAsync(cancellation);
        return (code, string.Join('\n', child.LastLines).Trim());
    }

    /// <summary>Sends a signal; a process that has ended is left alone.</summary>
    public void Send(ProcessSignal signal)
    {
        if (!Exited.IsCompleted && !process.HasExited)
        {
            _ = NativeMethods.Kill(Id, (int)signal);
        }
    }

    /// <summary>Sends a signal, and kills the process if it is not gone in time. Returns whether it went by itself.</summary>
    public async Task<bool> StopAsync(ProcessSignal signal, TimeSpan patience)
    {
        Send(signal);
        try
        {
            await Exited.WaitAsync(patience);
            return true;
        }
        catch (TimeoutException)
        {
            Send(ProcessSignal.Kill);
            await Exited;
            return false;
        }
    }

    /// <summary>Kills the process if it still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        Send(ProcessSignal.Kill);
        await Exited;
        process.Dispose();
    }

    private static IEnumerable<string> Wrap(ChildProcessOptions options)
    {
        yield return "setpriv";
        if (options.Account is { } account)
        {
            yield return $"--reuid={account.UserId}";
            yield return $"--regid={account.GroupId}";
            yield return "--clear-groups";
        }

        if (options.Capability is { } capability)
        {
            yield return $"--inh-caps=+{capability}";
            yield return $"--ambient-caps=+{capability}";
        }

        yield return "--pdeathsig";
        yield return options.DeathSignal switch
        {
            ProcessSignal.Interrupt => "INT",
            ProcessSignal.Quit => "QUIT",
            ProcessSignal.Terminate => "TERM",
            _ => "KILL",
        };
        yield return "--";
        yield return options.FileName;
        foreach (var argument in options.Arguments)
        {
            yield return argument;
        }
    }

    private async Task<int> WaitAsync()
    {
        process.OutputDataReceived += (_, e) => Keep(e.Data);
        process.ErrorDataReceived += (_, e) => Keep(e.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    private void Keep(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (lines)
        {
            if (lines.Count == KeptLines)
            {
                lines.Dequeue();
            }

            lines.Enqueue(line);
            onLine?.Invoke(line);
        }
    }
}
