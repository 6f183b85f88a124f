using System.Diagnostics;
using Spectre.Console;

namespace LlmMarketplace.AllInOne;

/// <summary>One line per step, with colour on a terminal and plain elsewhere.</summary>
internal sealed class Progress
{
    private readonly long started = Stopwatch.GetTimestamp();
    private readonly Lock turn = new();

    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(started);

    /// <summary>Does a step and says how long it took.</summary>
    public async Task<T> StepAsync<T>(string what, Func<Task<T>> step, Func<T, string>? describe = null)
    {
        var at = Stopwatch.GetTimestamp();
        var result = await step();
        Done(describe is null ? what : $"{what}: {describe(result)}", Stopwatch.GetElapsedTime(at));
        return result;
    }

    /// <inheritdoc cref="StepAsync{T}"/>
    public Task StepAsync(string what, Func<Task> step) => StepAsync(what, async () =>
    {
        await step();
        return true;
    });

    /// <summary>A step that is done.</summary>
    public void Done(string what, TimeSpan took) => Line("[green]ready[/]  ", "ready  ", $"{what} ({took.TotalSeconds:0.0} s)");

    /// <summary>Something to know.</summary>
    public void Say(string what) => Line("       ", "       ", what);

    private void Line(string markup, string plain, string text)
    {
        lock (turn)
        {
            if (Console.IsOutputRedirected)
            {
                Console.WriteLine(plain + text);
            }
            else
            {
                AnsiConsole.MarkupLine(markup + Markup.Escape(text));
            }
        }
    }
}
