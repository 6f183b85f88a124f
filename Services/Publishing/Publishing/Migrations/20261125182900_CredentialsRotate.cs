using LlmMarketplace.Publishing.Versions;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmMarketplace.Publishing.Migrations
{
    /// <summary>The database lets a published version have another credential; the model is what it was.</summary>
    [DbContext(typeof(PublishingDb))]
    [Migration("20261125182900_CredentialsRotate")]
    public partial class CredentialsRotate : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(LifecycleTrigger.Drop);
            migrationBuilder.Sql(LifecycleTrigger.Create);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
        }
    }
}
