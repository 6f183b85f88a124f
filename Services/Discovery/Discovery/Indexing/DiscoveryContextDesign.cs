using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace LlmMarketplace.Discovery.Indexing;

/// <summary>
/// Makes the context for <c>dotnet ef</c>, which needs no server to write a migration:
/// <c>dotnet ef migrations add Name --project Services/Discovery/Discovery --output-dir Indexing/Migrations</c> (with <c>UseAspirePackages=false</c> in the environment).
/// </summary>
internal sealed class DiscoveryContextDesign : IDesignTimeDbContextFactory<DiscoveryContext>
{
    public DiscoveryContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<DiscoveryContext>().UseNpgsql("Host=localhost;Database=discovery").UseSnakeCaseNamingConvention().Options);
}
