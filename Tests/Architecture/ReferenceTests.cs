namespace LlmMarketplace.Architecture;

public sealed class ReferenceTests
{
    private static readonly IReadOnlyList<Project> Projects =
        [.. Repository.Files.Where(file => file.EndsWith(".csproj", StringComparison.Ordinal)).Select(file => Project.Read(file, Repository.Read(file)))];

    [Fact]
    public void Projects_reference_only_what_the_table_allows()
    {
        Assert.True(Projects.Count > 30, $"Only {Projects.Count} projects were found.");
        Assert.Empty(ReferenceTable.Refuse(Projects));
    }

    [Theory]
    [InlineData("Services/Discovery/Discovery/Discovery.csproj", "../../Publishing/Publishing/Publishing.csproj")]
    [InlineData("Services/Discovery/Discovery/Discovery.csproj", "../../../LlmMarketplace.ServiceDefaults/LlmMarketplace.ServiceDefaults.csproj")]
    [InlineData("Services/Gateway/Gateway/Gateway.csproj", "../../Consumption/Consumption/Consumption.csproj")]
    [InlineData("Services/Publishing/Publishing.Contracts/Publishing.Contracts.csproj", "../../Identity/Identity.Contracts/Identity.Contracts.csproj")]
    [InlineData("Services/Publishing/Publishing.Contracts/Publishing.Contracts.csproj", "../../../Libraries/Messaging/Messaging.csproj")]
    [InlineData("Services/Admin/Admin.Host/Admin.Host.csproj", "../../Consumption/Consumption/Consumption.csproj")]
    [InlineData("Services/Admin/Admin.Host/Admin.Host.csproj", "../../../Libraries/Storage/Storage.csproj")]
    [InlineData("Services/AllInOne/AllInOne.csproj", "../Admin/Admin.Host/Admin.Host.csproj")]
    [InlineData("Services/AllInOne/AllInOne.csproj", "../../Libraries/Messaging/Messaging.csproj")]
    [InlineData("LlmMarketplace.AppHost/LlmMarketplace.AppHost.csproj", "../Services/Admin/Admin/Admin.csproj")]
    [InlineData("Libraries/Messaging/Messaging.csproj", "../../Services/Identity/Identity.Contracts/Identity.Contracts.csproj")]
    [InlineData("LlmMarketplace.ServiceDefaults/LlmMarketplace.ServiceDefaults.csproj", "../Services/Publishing/Publishing.Contracts/Publishing.Contracts.csproj")]
    [InlineData("samples/FirstRun/FirstRun.csproj", "../../Services/Publishing/Publishing.Contracts/Publishing.Contracts.csproj")]
    public void A_reference_that_the_table_does_not_allow_is_refused(string project, string reference)
    {
        var bad = Project.Read(project, $"""<Project><ItemGroup><ProjectReference Include="{reference}" /></ItemGroup></Project>""");

        Assert.Single(ReferenceTable.Refuse([bad]));
    }

    [Theory]
    [InlineData("Services/Gateway/Gateway.Host/Gateway.Host.csproj", "../../Consumption/Consumption/Consumption.csproj")]
    [InlineData("Services/Discovery/Discovery/Discovery.csproj", "../../Publishing/Publishing.Contracts/Publishing.Contracts.csproj")]
    [InlineData("Services/AllInOne/AllInOne.csproj", "..\\..\\Libraries\\Embedded\\Embedded.csproj")]
    public void A_reference_that_the_table_allows_is_not(string project, string reference)
    {
        var good = Project.Read(project, $"""<Project><ItemGroup><ProjectReference Include="{reference}" /></ItemGroup></Project>""");

        Assert.Empty(ReferenceTable.Refuse([good]));
    }

    [Fact]
    public void A_circle_of_libraries_is_refused()
    {
        var one = Project.Read("Libraries/One/One.csproj", """<Project><ItemGroup><ProjectReference Include="../Two/Two.csproj" /></ItemGroup></Project>""");
        var two = Project.Read("Libraries/Two/Two.csproj", """<Project><ItemGroup><ProjectReference Include="../One/One.csproj" /></ItemGroup></Project>""");

        Assert.NotEmpty(ReferenceTable.Refuse([one, two]));
    }

    [Theory]
    [InlineData("Services/Discovery/Extras/Extras.csproj")]
    [InlineData("tools/Thing/Thing.csproj")]
    public void A_project_where_none_belongs_is_refused(string path) =>
        Assert.NotEmpty(ReferenceTable.Refuse([Project.Read(path, "<Project />")]));
}
