using System.Text.RegularExpressions;

namespace LlmMarketplace.Architecture;

public sealed partial class TreeTests
{
    private const int MostLines = 500;

    private static readonly string[] LayerFolders = ["Helpers", "Common", "Core", "Shared", "Utils", "Utilities", "Managers", "Interfaces", "Models", "Dtos", "Extensions"];

    [Fact]
    public void A_folder_is_a_capability_and_not_a_layer() => Assert.DoesNotContain(Repository.Files, IsInLayerFolder);

    [Theory]
    [InlineData("Services/Discovery/Discovery/Helpers/Text.cs")]
    [InlineData("Services/Discovery/Discovery/Services/Text.cs")]
    [InlineData("Libraries/Common/Text.cs")]
    public void A_folder_that_is_a_layer_is_noticed(string file) => Assert.True(IsInLayerFolder(file));

    [Fact]
    public void No_source_file_is_two_things()
    {
        var long_ = Repository.Sources.Select(file => (file, lines: Lines(Repository.Read(file)))).Where(one => one.lines > MostLines);

        Assert.Empty(long_);
        Assert.True(Lines(string.Concat(Enumerable.Repeat("x\n", MostLines + 1))) > MostLines);
    }

    [Fact]
    public void Nothing_is_left_for_later() => Assert.Empty(Find(LeftForLater()));

    [Fact]
    public void Nothing_names_a_place_on_somebodys_machine() => Assert.Empty(Find(PlaceOnAMachine()));

    [Theory]
    [InlineData("x = 1; // TO" + "DO: later")]
    [InlineData("# FIX" + "ME")]
    [InlineData("throw new NotImplemented" + "Exception();")]
    public void What_is_left_for_later_is_noticed(string line) => Assert.Matches(LeftForLater(), line);

    [Theory]
    [InlineData("cd /ho" + "me/somebody/repository")]
    [InlineData("var path = \"/wo" + "rk/main\";")]
    [InlineData("C:\\Us" + "ers\\somebody")]
    public void A_place_on_a_machine_is_noticed(string line) => Assert.Matches(PlaceOnAMachine(), line);

    [Fact]
    public void An_event_id_names_one_log_message()
    {
        var ids = Repository.Sources.Where(file => !file.StartsWith("Tests/", StringComparison.Ordinal)).SelectMany(file => EventId().Matches(Repository.Read(file)).Select(match => match.Groups[1].Value)).ToList();

        Assert.NotEmpty(ids);
        Assert.Empty(ids.GroupBy(id => id).Where(uses => uses.Count() > 1).Select(uses => uses.Key));
    }

    [Fact]
    public void Every_test_project_has_tests()
    {
        var empty = Repository.Files.Where(file => file.StartsWith("Tests/", StringComparison.Ordinal) && file.EndsWith(".csproj", StringComparison.Ordinal) && Repository.Read(file).Contains("\"xunit.v3\"", StringComparison.Ordinal))
            .Where(project => !Repository.Sources.Any(source => source.StartsWith(Path.GetDirectoryName(project) + "/", StringComparison.Ordinal) && IsTest().IsMatch(Repository.Read(source))));

        Assert.Empty(empty);
    }

    [Fact]
    public void Links_in_documents_lead_somewhere()
    {
        var broken = Repository.Files.Where(file => file.EndsWith(".md", StringComparison.Ordinal))
            .SelectMany(file => Links(Repository.Read(file)).Select(link => (file, link)))
            .Where(one => !LeadsSomewhere(one.file, one.link));

        Assert.Empty(broken);
        Assert.False(LeadsSomewhere("README.md", "docs/nowhere.md"));
        Assert.Equal(["a.md", "b.md#part"], Links("[one](a.md) and ![two](b.md#part \"title\")"));
    }

    private static bool IsInLayerFolder(string file)
    {
        var folders = file.Split('/')[..^1];
        return folders.Any(LayerFolders.Contains) || folders.Skip(1).Contains("Services");
    }

    private static int Lines(string text) => text.Count(character => character == '\n');

    private static IEnumerable<string> Find(Regex words) => Repository.Files
        .Where(file => Path.GetExtension(file) is ".cs" or ".csproj" or ".props" or ".md" or ".yaml" or ".yml" or ".sh" or ".html" or ".css" or ".lua" or "" && !file.EndsWith("LICENSE", StringComparison.Ordinal))
        .SelectMany(file => Repository.Read(file).Split('\n').Select((line, index) => (line, where: $"{file}:{index + 1}")))
        .Where(one => words.IsMatch(one.line))
        .Select(one => $"{one.where}: {one.line.Trim()}");

    private static IEnumerable<string> Links(string markdown) => MarkdownLink().Matches(markdown).Select(match => match.Groups[1].Value);

    private static bool LeadsSomewhere(string file, string link)
    {
        if (link.Contains("://", StringComparison.Ordinal) || link.StartsWith('#') || link.StartsWith("mailto:", StringComparison.Ordinal))
        {
            return true;
        }

        var target = Path.Combine(Repository.Root, Path.GetDirectoryName(file)!, link.Split('#')[0]);
        return File.Exists(target) || Directory.Exists(target);
    }

    [GeneratedRegex(@"\b(?:TO" + @"DO|FIX" + @"ME|XX" + @"X|HAC" + @"K)\b|NotImplemented" + "Exception")]
    private static partial Regex LeftForLater();

    [GeneratedRegex(@"(?<![\w.$}])/(?:ho" + @"me|wo" + @"rk|Us" + @"ers)/[a-z]|[A-Z]:\\Us" + "ers")]
    private static partial Regex PlaceOnAMachine();

    [GeneratedRegex(@"\[(?:Fact|Theory)\b")]
    private static partial Regex IsTest();

    [GeneratedRegex(@"\[LoggerMessage\((\d+)")]
    private static partial Regex EventId();

    [GeneratedRegex(@"\]\(([^)\s]+)(?:\s+""[^""]*"")?\)")]
    private static partial Regex MarkdownLink();
}
