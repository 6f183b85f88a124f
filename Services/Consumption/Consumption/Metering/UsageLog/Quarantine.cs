namespace LlmMarketplace.Consumption.Metering.UsageLog;

/// <summary>Where segments with damage are kept aside: <c>DIR/quarantine</c>.</summary>
internal static class Quarantine
{
    private const string Name = "quarantine";

    /// <summary>Keeps a copy of a segment; gives its path.</summary>
    public static string Keep(string directory, LogFolder folder, uint segment)
    {
        var kept = Path.Combine(directory, Name, $"{folder.Id:N}-{segment:D10}.log");
        Directory.CreateDirectory(Path.GetDirectoryName(kept)!);
        File.Copy(Segment.PathOf(folder.Path, segment), kept, overwrite: true);
        return kept;
    }
}
