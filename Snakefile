workflow.include("workflow/Snakefile", overwrite_default_target=True)  # so that plain `snakemake --cores 2` works
