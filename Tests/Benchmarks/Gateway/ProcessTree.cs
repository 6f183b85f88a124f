using System.Globalization;

namespace LlmMarketplace.Benchmarks.Gateway;

/// <summary>A process with all of its descendants, by Linux's <c>/proc</c> (proc(5)).</summary>
internal sealed class ProcessTree(int root)
{
    /// <summary>Ticks of <c>sysconf(_SC_CLK_TCK)</c>, which is 100 on every Linux that .NET runs on.</summary>
    private const double TicksPerSecond = 100;

    /// <summary>The id of the first of them.</summary>
    public int Root => root;

    /// <summary>Processor time that they have used so far, with that of children that have ended.</summary>
    public TimeSpan ProcessorTime => TimeSpan.FromSeconds(Members().Sum(member => Ticks(member)) / TicksPerSecond);

    /// <summary>Resident memory; shared pages are shared out among those that share them (Pss).</summary>
    public long ResidentBytes => Members().Sum(Resident);

    /// <summary>The ids of all of them, the root first.</summary>
    public IReadOnlyList<int> Members()
    {
        var children = Directory.EnumerateDirectories("/proc")
            .Select(directory => Path.GetFileName(directory))
            .Where(name => char.IsAsciiDigit(name[0]))
            .Select(name => int.Parse(name, CultureInfo.InvariantCulture))
            .Select(id => (Id: id, Stat: Stat(id)))
            .Where(process => process.Stat is not null)
            .ToLookup(process => int.Parse(process.Stat![1], CultureInfo.InvariantCulture), process => process.Id);
        var members = new List<int> { root };
        for (var index = 0; index < members.Count; index++)
        {
            members.AddRange(children[members[index]]);
        }

        return members;
    }

    private static double Ticks(int id) =>
        Stat(id) is { } stat ? stat[11..15].Sum(field => double.Parse(field, CultureInfo.InvariantCulture)) : 0; // utime, stime, cutime, cstime

    /// <summary>The fields behind the program's name, which may contain anything: state, ppid …</summary>
    private static string[]? Stat(int id)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{id}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null; // It has ended.
        }
    }

    private static long Resident(int id)
    {
        try
        {
            return File.ReadLines($"/proc/{id}/smaps_rollup").Where(line => line.StartsWith("Pss:", StringComparison.Ordinal))
                .Sum(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
